package script

import "strings"

// effect is what a command does, as far as its files, its settings and its way on are concerned.
type effect uint8

const (
	doNothing   effect = iota // succeeds
	doEither                  // may succeed or fail: it depends on the network, the user or the firmware
	doFetch                   // imgfetch and its like
	doSelect                  // kernel: fetched, or an image by name; then selected
	doBoot                    // chain: fetched, or an image by name; then run
	doImages                  // images by name, fetched where none is called so
	doDigest                  // the same for every word
	doShim                    // fetched by UEFI, nothing in BIOS
	doDisk                    // every word is the URI of a disk
	doPicture                 // console: the picture is an option's value
	doFree                    // imgfree
	doArgs                    // imgargs: text of an image
	doMenu                    // menu
	doItem                    // item
	doChoose                  // choose
	doGoto                    // goto
	doExit                    // exit
	doIsSet                   // isset
	doCompare                 // iseq
	doSet                     // set
	doClear                   // clear
	doIncrement               // inc
	doRead                    // the setting in its first word becomes unknown
	doParams                  // params
	doParam                   // param
	doLeave                   // reboot, poweroff
	doTime                    // time: the words are a command
	doNetwork                 // dhcp: next-server may change
)

// fetches reports whether a command may bring a file.
func (e effect) fetches() bool { return e >= doFetch && e <= doDisk }

// many is the upper bound of the number of words where there is none.
const many = 1 << 20

// entry describes a command: its options, how many plain words it takes, and what it does.
type entry struct {
	options  string // flags, and options with a value, which end in "=": "n/name= q/quiet"
	min, max int
	effect   effect
	role     Role // of what it fetches
}

const (
	imageOptions = "n/name= t/timeout= a/autofree q/quiet"
	hashOptions  = "s/set="
	diskOptions  = "d/drive= n/no-describe k/keep f/filename= e/extra= l/label= u/uuid="
	storeOptions = "s/subject= k/keep"
)

// table has every command of iPXE from 2013 to 2026. Some builds leave some out: an unknown command fails and, caught,
// does no harm, so what one build lacks is not wrong in a script.
var table = map[string]entry{
	"imgfetch": {imageOptions, 1, many, doFetch, Any},
	"module":   {imageOptions, 1, many, doFetch, Initrd},
	"initrd":   {imageOptions, 1, many, doFetch, Initrd},
	"kernel":   {imageOptions, 1, many, doSelect, Kernel}, "imgselect": {imageOptions, 1, many, doSelect, Kernel},
	"imgload": {imageOptions, 1, many, doSelect, Kernel},
	"chain":   {imageOptions + " r/replace", 0, many, doBoot, Script},
	"imgexec": {imageOptions + " r/replace", 0, many, doBoot, Script},
	"boot":    {imageOptions + " r/replace", 0, many, doBoot, Script},
	"imgargs": {imageOptions, 1, many, doArgs, Any},
	"imgstat": {"", 0, many, doNothing, ""}, "imgfree": {"", 0, many, doFree, ""},
	"imgextract": {"n/name= k/keep t/timeout= q/quiet", 1, 1, doImages, Any},
	"imgset":     {"k/keep t/timeout= q/quiet", 2, 2, doRead, Any},
	"imgverify":  {"s/signer= k/keep t/timeout= q/quiet", 2, 2, doImages, Any},
	"imgdecrypt": {"n/name= k/keep t/timeout= q/quiet", 2, 2, doImages, Any},
	"imgtrust":   {"a/allow p/permanent", 0, 0, doEither, ""},
	"imgmem":     {"n/name=", 2, 2, doEither, ""},
	"md5sum":     {hashOptions, 1, many, doDigest, Any}, "sha1sum": {hashOptions, 1, many, doDigest, Any},
	"sha224sum": {hashOptions, 1, many, doDigest, Any}, "sha256sum": {hashOptions, 1, many, doDigest, Any},
	"sha384sum": {hashOptions, 1, many, doDigest, Any}, "sha512sum": {hashOptions, 1, many, doDigest, Any},
	"shim":     {"t/timeout= q/quiet l/require-loader p/allow-pxe s/allow-sbat", 0, 1, doShim, Program},
	"fdt":      {"t/timeout= q/quiet", 0, 1, doImages, Any},
	"certstat": {"s/subject=", 0, 0, doEither, ""}, "certfree": {"s/subject=", 0, 0, doEither, ""},
	"certstore": {storeOptions, 0, 1, doImages, Any},
	"console":   {"x= y= l/left= r/right= t/top= b/bottom= d/depth= p/picture= k/keep", 0, 0, doPicture, Picture},
	"colour":    {"b/basic= r/rgb=", 1, 1, doNothing, ""}, "cpair": {"f/foreground= b/background=", 1, 1, doNothing, ""},
	"menu": {"n/name= d/delete", 0, many, doMenu, ""}, "form": {"n/name= d/delete", 0, many, doMenu, ""},
	"item":    {"m/menu= f/form= k/key= d/default g/gap s/secret", 0, many, doItem, ""},
	"choose":  {"m/menu= d/default= t/timeout= r/retimeout= k/keep", 1, 1, doChoose, ""},
	"present": {"f/form= k/keep", 0, 0, doEither, ""},
	"goto":    {"", 1, 1, doGoto, ""},
	"prompt":  {"k/key= t/timeout=", 0, many, doEither, ""},
	"echo":    {"n", 0, many, doNothing, ""}, "sleep": {"", 1, 1, doNothing, ""},
	"exit": {"", 0, 1, doExit, ""}, "isset": {"", 1, 1, doIsSet, ""}, "iseq": {"", 2, 2, doCompare, ""},
	"set": {"", 1, many, doSet, ""}, "clear": {"", 1, 1, doClear, ""}, "inc": {"", 1, 2, doIncrement, ""},
	"show": {"q/quiet", 1, 1, doEither, ""}, "read": {"t/timeout=", 1, 1, doRead, ""},
	"config": {"", 0, 1, doEither, ""}, "login": {"", 0, 0, doEither, ""}, "shell": {"", 0, 0, doEither, ""},
	"help":     {"", 0, many, doNothing, ""},
	"param":    {"p/params= H/header", 1, many, doParam, ""},
	"params":   {"n/name= m/method= d/delete", 0, 0, doParams, ""},
	"cpuid":    {"e/ext a/amd c/ecx", 1, 1, doEither, ""},
	"autoboot": {"", 0, many, doEither, ""}, "dhcp": {"c/configurator= t/timeout=", 0, many, doNetwork, ""},
	"ifconf": {"c/configurator= t/timeout=", 0, many, doNetwork, ""},
	"ifopen": {"", 0, many, doEither, ""}, "ifclose": {"", 0, many, doEither, ""}, "ifstat": {"", 0, many, doEither, ""},
	"iflinkwait": {"t/timeout=", 0, many, doEither, ""},
	"route":      {"", 0, 0, doNothing, ""}, "nstat": {"", 0, 0, doNothing, ""}, "ipstat": {"", 0, 0, doNothing, ""},
	"profstat": {"", 0, 0, doNothing, ""}, "ibstat": {"", 0, 0, doNothing, ""}, "fcstat": {"", 0, 0, doNothing, ""},
	"iwstat": {"", 0, many, doNothing, ""}, "iwlist": {"", 0, many, doNothing, ""},
	"fcels": {"p/port= i/id=", 1, 1, doEither, ""}, "pxebs": {"", 2, 2, doEither, ""},
	"sync":    {"t/timeout=", 0, 0, doEither, ""},
	"sanboot": {diskOptions, 0, many, doDisk, Disk}, "sanhook": {diskOptions, 1, many, doDisk, Disk},
	"sanunhook": {"d/drive=", 0, 0, doEither, ""},
	"reboot":    {"w/warm s/setup", 0, 0, doLeave, ""}, "poweroff": {"", 0, 0, doLeave, ""},
	"ntp": {"", 1, 1, doEither, ""}, "nslookup": {"", 2, 2, doRead, ""},
	"ping":    {"s/size= t/timeout= c/count= q/quiet", 1, 1, doEither, ""},
	"vcreate": {"t/tag= p/priority=", 1, 1, doEither, ""}, "vdestroy": {"", 1, 1, doEither, ""},
	"pciscan": {"", 1, 1, doRead, ""}, "usbscan": {"", 1, 1, doRead, ""},
	"time":   {"", 1, many, doTime, ""},
	"lotest": {"m/mtu= b", 2, 2, doEither, ""},
	"gdbstub": {
		"",
		1,
		many,
		doEither,
		"",
	}, "startpxe": {"", 0, many, doEither, ""}, "stoppxe": {"", 0, many, doEither, ""},
}

// parsed is a command with its options taken off.
type parsed struct {
	entry
	name    string
	options map[string]string // by long name, or the short one where that is all; flags have the value ""
	args    []string
}

func (p parsed) has(option string) bool { _, has := p.options[option]; return has }

// parseOptions takes options off the front of a command's expanded words. They stand before the first plain word; "--"
// ends them. problem is why iPXE refuses the command, and empty if it does not.
func parseOptions(e entry, words []string) (p parsed, problem, code string) {
	p = parsed{entry: e, name: words[0], options: map[string]string{}}
	rest := words[1:]
	for len(rest) > 0 && strings.HasPrefix(rest[0], "-") && len(rest[0]) > 1 {
		word := rest[0]
		rest = rest[1:]
		if word == "--" {
			break
		}
		if word == "--help" || word == "-h" {
			return p, word + " prints the usage, and the command fails", UnknownOption
		}
		given, value, joined := strings.Cut(word, "=")
		long := strings.HasPrefix(word, "--")
		if !long {
			given, value, joined = word[:2], word[2:], len(word) > 2
		}
		name, valued, known := findOption(e.options, strings.TrimLeft(given, "-"), long)
		switch {
		case !known:
			return p, "unknown option " + given, UnknownOption
		case !valued && joined:
			return p, "option " + given + " takes no value", UnknownOption
		case valued && !joined && (len(rest) == 0 || strings.HasPrefix(rest[0], "-")):
			return p, "option " + given + " needs a value", UnknownOption
		case valued && !joined:
			value, rest = rest[0], rest[1:]
		}
		p.options[name] = value
	}
	if len(rest) > 0 && rest[0] == "-" {
		return p, `a word that begins with "-" is taken for an option`, UnknownOption
	}
	if len(rest) < e.min || len(rest) > e.max {
		return p, "wrong number of arguments", WrongArguments
	}
	p.args = rest
	return p, "", ""
}

// findOption looks an option up in an entry's list. name is the long one where there are two.
func findOption(list, given string, long bool) (name string, valued, known bool) {
	for o := range strings.FieldsSeq(list) {
		o, valued = strings.CutSuffix(o, "=")
		short, name, two := strings.Cut(o, "/")
		if !two {
			name = short
		}
		if long && two && name == given || !long && short == given || long && !two && name == given && len(name) > 1 {
			return name, valued, true
		}
	}
	return "", false, false
}
