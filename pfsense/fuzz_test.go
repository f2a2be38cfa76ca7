package pfsense

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
}

// checkAnswer: an error or one JSON value, and no secret in either.
func checkAnswer(t *testing.T, result json.RawMessage, err error) {
	t.Helper()
	if (err == nil) != json.Valid(result) {
		t.Errorf("%q, %v", result, err)
	}
	if err != nil && (len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\n\r\x1b\x00")) {
		t.Errorf("not one line for a terminal: %q", err)
	}
}

func FuzzXMLRPC(f *testing.F) {
	seeds(f)
	cred := credential{user: testUser, secret: newSecret(testPassword)}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		result, err := readResponse(reply{status: status, body: body, location: string(body)}, cred)
		checkAnswer(t, result, err)
	})
}

func FuzzREST(f *testing.F) {
	seeds(f)
	cred := credential{secret: newSecret(testKey)}
	parcel := parcel{name: strings.Repeat("a", 32)}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		data, err := readEnvelope(reply{status: status, body: body, location: string(body)}, cred)
		if err != nil {
			checkAnswer(t, nil, err)
		}
		var out output
		if json.Unmarshal(data, &out) == nil {
			result, err := parcel.result(out, cred)
			checkAnswer(t, result, err)
		}
		result, err := parcel.result(output{Output: string(body)}, cred)
		checkAnswer(t, result, err)
	})
}
