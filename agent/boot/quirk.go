package boot

// Quirk is an oddity of firmware in a name it asks for, which is put right before the file is looked up, or in how it
// asks. The set is closed, so that it can be a metric label.
type Quirk string

const (
	// TrailingByte: 0xFF or NUL at the end: option 67 without a terminator was taken with what follows
	TrailingByte Quirk = "trailing_byte"
	Backslash    Quirk = "backslash"     // \ for /
	ExtraSlash   Quirk = "extra_slash"   // leading, doubled or trailing slashes
	DotSegment   Quirk = "dot_segment"   // ./ or a path that can be made plain
	LetterCase   Quirk = "letter_case"   // the file exists in other letters
	FolderBefore Quirk = "folder_before" // a path before the name of a built-in file
	Blank        Quirk = "blank"         // white space around the name
	URLPrefix    Quirk = "url_prefix"    // tftp://host/ before the name
	// OtherFirmware: the name is that of an NBP for the other kind of firmware, since the DHCP server has one name for
	// all.
	OtherFirmware Quirk = "other_firmware"
	// AskedAgain: the same request from the same port while it was being answered, which is one request and no second
	// one.
	AskedAgain Quirk = "asked_again"
	// ProbedSize: a download that ended when its size was known, by an ERROR or by the next request. HEAD is HTTP's
	// way, and no quirk.
	ProbedSize Quirk = "probed_size"
)

// Quirks lists every Quirk.
func Quirks() []Quirk {
	return []Quirk{
		TrailingByte,
		Backslash,
		ExtraSlash,
		DotSegment,
		LetterCase,
		FolderBefore,
		Blank,
		URLPrefix,
		OtherFirmware,
		AskedAgain,
		ProbedSize,
	}
}
