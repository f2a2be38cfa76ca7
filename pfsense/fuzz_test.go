package pfsense

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
)

// seeds are the recorded answers.
func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, answer, _ := strings.Cut(string(text), "<<< RESPONSE\n")
		_, body, _ := strings.Cut(answer, "\n\n")
		f.Add(200, []byte(body))
	}
	f.Add(500, []byte("<pre>PHP ERROR"))
	f.Add(302, []byte(nil))
	for _, status := range []int{200, 302, 401, 403, 500, 503} {
		f.Add(status, []byte("Stack trace: #0 authenticate_user('pxeagent', 'SECRET')\nand SECRET again"))
	}
	f.Add(200, []byte(`<?xml version="1.0"?><methodResponse><fault><value><struct><member><name>faultCode</name>`+
		`<value><int>-1</int></value></member><member><name>faultString</name><value><string>no SECRET</string>`+
		`</value></member></struct></value></fault></methodResponse>`))
	f.Add(200, []byte(
		`<?xml version="1.0"?><methodResponse><params><param><value><SECRET>x</SECRET></value></param></params>`+
			`</methodResponse>`))
	f.Add(401, []byte(`{"code":401,"status":"x","response_id":"AUTH_SECRET","message":"no SECRET","data":[]}`))
	f.Add(200, []byte(
		`{"code":200,"status":"ok","response_id":"SUCCESS","message":"","data":{"output":"SECRET","result_code":1}}`))
}

// marker is the place in an input where the firewall echoes the secret.
const marker = "SECRET"

// planted is a body with the secret at each marker, and whether there is one.
func planted(body []byte, cred remote.Login) (text []byte, echoed bool) {
	text = bytes.ReplaceAll(body, []byte(marker), []byte(cred.Secret.Reveal()))
	return text, leaks(string(text))
}

// checkAnswer: an error or one JSON value. No secret is in an error, whatever the firewall echoes, and none in a value
// that the firewall did not put there itself: settings may hold what looks like one.
func checkAnswer(t *testing.T, echoed bool, result json.RawMessage, err error) {
	t.Helper()
	if (err == nil) != json.Valid(result) {
		t.Errorf("%q, %v", result, err)
	}
	if err != nil && (len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\n\r\x1b\x00")) {
		t.Errorf("not one line for a terminal: %q", err)
	}
	if err != nil && leaks(err.Error()) {
		t.Errorf("the secret is in the error: %v", err)
	}
	if !echoed && leaks(string(result)) {
		t.Errorf("the secret is in the answer: %s", result)
	}
}

func FuzzXMLRPC(f *testing.F) {
	seeds(f)
	cred := remote.Login{User: testUser, Secret: dhcp.NewSecret(testPassword)}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		body, echoed := planted(body, cred)
		result, err := readResponse(remote.Reply{Status: status, Body: body, Location: string(body)}, cred)
		checkAnswer(t, echoed, result, err)
	})
}

func FuzzREST(f *testing.F) {
	seeds(f)
	cred := remote.Login{Secret: dhcp.NewSecret(testKey)}
	upload := upload{name: strings.Repeat("a", 32)}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		body, echoed := planted(body, cred)
		data, err := readEnvelope(remote.Reply{Status: status, Body: body, Location: string(body)}, cred)
		if err != nil {
			checkAnswer(t, echoed, nil, err)
		}
		var out output
		if json.Unmarshal(data, &out) == nil {
			result, err := upload.result(out, cred)
			checkAnswer(t, echoed, result, err)
		}
		result, err := upload.result(output{Output: string(body)}, cred)
		checkAnswer(t, echoed, result, err)
	})
}
