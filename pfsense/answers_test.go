package pfsense

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pxeagent/agent/dhcp/remote"
)

// Each recorded answer, and the result. One request is sent, never a second.
func TestRecordedAnswers(t *testing.T) {
	for _, c := range []struct {
		transcript, transport string
		want                  error
		text                  string
	}{
		{"err-401-badpw", "rest", ErrCredential,
			`user "pxeagent" by REST: 401 AUTH_AUTHENTICATION_FAILED, "Authentication failed."`},
		{"err-401-badkey", "rest", ErrCredential, "AUTH_AUTHENTICATION_FAILED"},
		{"err-401-noauth", "rest", ErrCredential, "AUTH_AUTHENTICATION_FAILED"},
		{"err-403-nopriv", "rest", ErrPrivilege, "needs api-v2-diagnostics-command-prompt-post"},
		{"command-nopriv", "rest", ErrPrivilege, "needs api-v2-diagnostics-command-prompt-post"},
		{"err-403-acl", "rest", ErrNotAllowed, "ENDPOINT_CLIENT_NOT_ALLOWED_BY_ACL"},
		{"err-404-noendpoint", "rest", ErrNoPackage, promptPath},
		{"err-405-readonly", "rest", ErrReadOnly, "read-only mode"},
		{"err-503-disabled", "rest", ErrUnavailable, "ENDPOINT_REST_API_IS_NOT_ENABLED"},
		{"err-406-accept", "rest", ErrProgram, "CONTENT_HANDLER_ENCODE_NOT_FOUND"},
		{"err-400-badjson", "rest", ErrProgram, "could not be decoded"},
		{"command-len-1025", "rest", ErrProgram, "LENGTH_VALIDATOR_MAXIMUM_CONSTRAINT"},
		{"command-nonutf8", "rest", ErrProgram, "empty answer"},
		{"command-php-r", "rest", ErrProgram, `exit code 4, output "hi"`},
		{"command-stderr-rc-subshell", "rest", ErrProgram, `exit code 7, output "out err"`},

		{"xmlrpc-badpw", "xmlrpc", ErrCredential,
			`user "pxeagent" by XML-RPC: fault -1, "Authentication failed: Invalid username or password"`},
		{"xmlrpc-noauth", "xmlrpc", ErrCredential, "fault -1"},
		{"xmlrpc-nopriv", "xmlrpc", ErrPrivilege, "needs system-xmlrpc-ha-sync"},
		{"xmlrpc-nomethod", "xmlrpc", ErrNotPfSense, "no pfsense.exec_php"},
		{"xmlrpc-exec-php-fatal", "xmlrpc", ErrProgram, "Call to undefined function"},
		{"xmlrpc-exec-php-parse", "xmlrpc", ErrProgram, "500"},
		{"xmlrpc-exec-php-throw", "xmlrpc", ErrProgram, "Unhandled PHP Exception"},
		{"xmlrpc-exec-php", "xmlrpc", ErrProgram, "fault 1"},
		{"xmlrpc-exec-php-empty", "xmlrpc", ErrProgram, "returned no result"},
		{"xmlrpc-exec-php-echo", "xmlrpc", ErrProgram, "returned no result"},
		{"xmlrpc-hasync-exec", "xmlrpc", ErrProgram, "uid=0(root)"},
		{"err-404-noendpoint", "xmlrpc", ErrNotPfSense, "404"},
	} {
		b := newRecorder(t, transcript(t, c.transcript))
		result, err := mustDial(t, b.config(t, c.transport)).run(t.Context(), read)
		if !errors.Is(err, c.want) || result != nil || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: %q, %v; want %v with %q", c.transcript, result, err, c.want, c.text)
		}
		if n := len(b.requests()); n != 1 {
			t.Errorf("%s: %d requests", c.transcript, n)
		}
		if leaks(fmt.Sprintf("%v %+v %#v", err, err, err)) {
			t.Errorf("%s: the error holds a secret: %v", c.transcript, err)
		}
	}
}

// A result as XML-RPC gave it, and the same with what PHP printed before it.
func TestRecordedResult(t *testing.T) {
	for _, before := range []string{"", "\nWarning: something in /etc/inc/x.inc <b>on line 3</b>\n", "<?xml is not it\n"} {
		recorded := transcript(t, "oneshot-isc-execphp-1-set")
		b := newRecorder(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, before)
			recorded(w, r)
		})
		result, err := mustDial(t, b.config(t, "xmlrpc")).run(t.Context(), read)
		if err != nil || !strings.HasPrefix(string(result), `{"ok":true,"changed":true,"if":"opt1"`) {
			t.Errorf("after %q: %q, %v", before, result, err)
		}
		asked := b.requests()[0]
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(testUser+":"+testPassword))
		if asked.path != "/xmlrpc.php" || asked.auth != basic ||
			!strings.Contains(asked.body, "<methodName>pfsense.exec_php</methodName>") {
			t.Errorf("asked %+v", asked)
		}
	}
}

// Servers that are not pfSense.
func TestNotPfSense(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   error
		text   string
	}{
		{"a web page", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<html>Welcome to nginx</html>")
		}, ErrNotPfSense, "Welcome to nginx"},
		{"other JSON", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"ok":true}`) }, ErrNotPfSense, "200"},
		{"other XML", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `<?xml version="1.0"?><rss/>`)
		}, ErrNotPfSense, "200"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
		}, ErrNotPfSense, "192.0.2.1"},
		{"401 of a proxy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, ErrCredential, "401"},
		{"403 of a proxy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, ErrNotAllowed, "403"},
		{"PHP is down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, ErrGateway, "502"},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"code":200,"response_id":"SUCCESS","data":"`))
			for range remote.MaxAnswer >> 10 {
				w.Write(make([]byte, 1<<10))
			}
		}, ErrNotPfSense, "longer than"},
		{"hostile text", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(418)
			fmt.Fprint(w, "\x1b[31m"+strings.Repeat("A", 5000))
		}, ErrNotPfSense, `"\x1b[31mAAA`},
	} {
		for _, transport := range []string{"rest", "xmlrpc"} {
			b := newRecorder(t, c.answer)
			_, err := mustDial(t, b.config(t, transport)).run(t.Context(), read)
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.text) || len(fmt.Sprint(err)) > 600 {
				t.Errorf("%s by %s: %v; want %v with %q", c.name, transport, err, c.want, c.text)
			}
		}
	}
}

// A stack trace of the firewall may contain what was sent to it.
func TestSecretsInAnswers(t *testing.T) {
	trace := `Stack trace: #0 authenticate_user('pxeagent', '` + testPassword[:remote.TraceArg] + `...') ` + testPassword + " " +
		testKey
	for _, transport := range []string{"rest", "xmlrpc"} {
		for _, status := range []int{200, 400, 401, 403, 404, 500, 503} {
			for _, body := range []string{trace, fmt.Sprintf(`{"code":%d,"response_id":"X","message":%q,"data":[]}`, status,
				trace),
				fmt.Sprintf(
					`<?xml version="1.0"?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>`+
						`9</int></value></member><member><name>faultString</name><value><string>%s</string></value></member>`+
						`</struct></value></fault></methodResponse>`, trace)} {
				b := newRecorder(t, func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
					fmt.Fprint(w, body)
				})
				c := b.config(t, transport)
				if transport == "rest" {
					c.APIKey = text(testKey)
				}
				_, err := mustDial(t, c).run(t.Context(), read)
				if err == nil {
					t.Fatal("no error")
				}
				// Only what was sent can come back: the key by REST, the password by XML-RPC.
				sent := testPassword
				if transport == "rest" {
					sent = testKey
				}
				if strings.Contains(err.Error(), sent) || strings.Contains(err.Error(), sent[:remote.TraceArg]) {
					t.Errorf("%s %d: %v", transport, status, err)
				}
			}
		}
	}
}
