package pfsensetest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// call is a method call whose parameters are strings.
type call struct {
	Method string  `xml:"methodName"`
	Params []param `xml:"params>param>value"`
}

// param is a value: an element of a type with a text, or only a text. Anything else in it is not read.
type param struct {
	Bare   string  `xml:",chardata"`
	String *string `xml:"string"`
	Int    *string `xml:"int"`
}

func (p param) text() string {
	switch {
	case p.String != nil:
		return *p.String
	case p.Int != nil:
		return *p.Int
	}
	return p.Bare
}

func parseCall(body []byte) (call, error) {
	var c struct {
		XMLName xml.Name `xml:"methodCall"`
		call
	}
	if err := xml.Unmarshal(body, &c); err != nil {
		return call{}, err
	}
	if c.Method == "" {
		return call{}, errors.New("no method")
	}
	return c.call, nil
}

// op is what the program in c does.
func (c call) op() string {
	if c.Method != "pfsense.exec_php" || len(c.Params) != 1 {
		return ""
	}
	return opOf(c.Params[0].text())
}

// The faults that were recorded. They come with HTTP 200.
type fault struct {
	code int
	text string
}

var (
	faultLogin     = fault{-1, "Authentication failed: Invalid username or password"}
	faultPrivilege = fault{-2, "Authentication failed: not enough privileges"}
	faultMethod    = fault{-32601, "server error. requested method not found"}
	faultArguments = fault{-32602, "server error. invalid method parameters"}
	faultThrown    = fault{1, "Unhandled PHP Exception"}
)

// xmlrpc answers as pfSense's own XML-RPC does.
func (v *visit) xmlrpc(c call, malformed error) {
	if v.r.Method != http.MethodPost || malformed != nil {
		v.document(faultArguments.xml())
		return
	}
	methods := map[string]struct {
		params int
		serve  func(call, User)
	}{
		"pfsense.exec_php":              {1, v.execPHP},
		"pfsense.host_firmware_version": {2, v.hostVersion},
	}
	method, known := methods[c.Method]
	user, ok := v.basicUser(v.r)
	switch {
	case !known:
		v.document(faultMethod.xml())
	case len(c.Params) != method.params:
		v.document(faultArguments.xml())
	case !ok || v.fault.Kind == Unauthorized:
		v.refuse()
		v.document(faultLogin.xml())
	case !user.mayXMLRPC() || v.fault.Kind == NoPrivilege:
		v.refuse() // it is logged as a failed login
		v.document(faultPrivilege.xml())
	default:
		method.serve(c, user)
	}
}

// execPHP runs a program. The answer is what it leaves in $toreturn, or true if that is nothing.
func (v *visit) execPHP(c call, u User) {
	switch v.fault.Kind {
	case Fatal:
		v.broken(
			`<pre style="white-space: pre-wrap;">PHP ERROR: Type: 1, File: /usr/local/www/xmlrpc.php(141) : eval()&#039;` +
				`d code, Line: 1, ` +
				"Message: Uncaught Error: Call to undefined function nosuchfunction() in /usr/local/www/xmlrpc.php(141) : " +
				"eval()&#039;d code:1\n  thrown</pre>")
		return
	case Throw:
		v.document(faultThrown.xml())
		return
	case NoResult:
		v.document(nothing)
		return
	}
	result, known := v.php(c.Params[0].text(), fmt.Sprintf("%s@%s (Local Database): ", u.Name, clientOf(v.r)),
		v.fault.Kind)
	answer := value(stringXML(result))
	switch {
	case v.fault.Kind == Print:
		// Printed text comes first, with PHP's own content type.
		v.w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		fmt.Fprint(v.w, "hello")
		if !known {
			answer = nothing
		}
	case !known:
		v.broken("") // a parse error
		return
	}
	v.document(answer)
}

// nothing is the answer for a program that returns nothing.
var nothing = value("<boolean>1</boolean>")

func clientOf(r *http.Request) string {
	host, _, _ := strings.Cut(r.RemoteAddr, ":")
	return host
}

func (v *visit) hostVersion(call, User) {
	member := func(name, value string) string {
		return "<member><name>" + name + "</name><value>" + value + "</value></member>"
	}
	of := func(version string) string { return "<struct>" + member("version", stringXML(version)) + "</struct>" }
	const kernel = "15.0-CURRENT"
	v.document(value("<struct>" + member("firmware", of(v.opts.Release)) + member("kernel", of(kernel)) +
		member("base", of(kernel)) +
		member("platform", stringXML("pfSense")) + member("config_version", stringXML(v.configVersion())) + "</struct>"))
}

func (f *Firewall) configVersion() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version()
}

// broken is how PHP ends after a fatal error.
func (v *visit) broken(text string) {
	v.w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	v.w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprint(v.w, text)
}

func (v *visit) document(inner string) {
	if v.w.Header().Get("Content-Type") == "" {
		v.w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	}
	fmt.Fprint(v.w, `<?xml version="1.0" encoding="utf-8"?>`+"\n<methodResponse>"+inner+"</methodResponse>")
}

func value(inner string) string {
	return "<params><param><value>" + inner + "</value></param></params>"
}

func (f fault) xml() string {
	return fmt.Sprintf("<fault><value><struct><member><name>faultCode</name><value><int>%d</int></value></member>"+
		"<member><name>faultString</name><value><string>%s</string></value></member></struct></value></fault>", f.code,
		f.text)
}

// stringXML escapes as PHP's htmlspecialchars does, without quotes.
func stringXML(text string) string {
	return "<string>" + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text) + "</string>"
}
