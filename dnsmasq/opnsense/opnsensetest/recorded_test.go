package opnsensetest

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pxeagent/dnsmasq/dnsmasqtest"
)

// open starts a firewall that is closed with the test.
func open(t *testing.T, o Options) *Firewall {
	t.Helper()
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// client trusts the firewall's certificate, and follows nobody elsewhere.
func client(f *Firewall) *http.Client {
	return &http.Client{Transport: f.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// call sends one request with the right key, and returns what is answered.
func call(t *testing.T, f *Firewall, method, path, body string, edit ...func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, f.URL().String()+"/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(key, secret)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edit {
		e(r)
	}
	res, err := client(f).Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(text))
}

func decode(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// recording is what one run of the real firewall said.
type recording struct {
	calls [][4]string // method, path, body, answer
	conf  []string
	offers
}

type offers []string // of each client, in JSON

func recorded(t *testing.T, name string) (r recording) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n## ")
	for _, part := range parts[1:] {
		title, rest, _ := strings.Cut(part, "\n")
		lines := slices.DeleteFunc(strings.Split(rest, "\n"), func(l string) bool { return l == "" })
		switch {
		case strings.HasPrefix(title, "API calls"):
			for _, l := range lines {
				ask, answer, _ := strings.Cut(l, " -> ")
				words := append(strings.SplitN(ask, " ", 3), "")
				r.calls = append(r.calls, [4]string{words[0], words[1], words[2], answer})
			}
		case strings.HasPrefix(title, "generated dnsmasq.conf"):
			r.conf = lines
		case strings.HasPrefix(title, "offers in full"):
			r.offers = lines
		}
	}
	if len(r.calls) == 0 || len(r.conf) == 0 {
		t.Fatalf("%s: nothing is recorded", name)
	}
	return r
}

// recordings are all that were made with Dnsmasq: the version of each by its file's name.
func recordings(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("testdata/[0-9v]*.txt")
	if err != nil || len(names) < 18 {
		t.Fatalf("recordings: %v %v", names, err)
	}
	version := regexp.MustCompile(`^v([0-9.]+)-`)
	all := map[string]string{}
	for _, n := range names {
		n = filepath.Base(n)
		all[n] = "26.7.2"
		if found := version.FindStringSubmatch(n); found != nil {
			all[n] = found[1]
		}
	}
	return all
}

// What the real firewalls answered to a number of calls, and the file that they made, the stand-in says too.
func TestAsRecorded(t *testing.T) {
	for name, version := range recordings(t) {
		t.Run(name, func(t *testing.T) {
			want := recorded(t, name)
			var conf string
			f := open(t, Options{Version: version, Load: func(c string) error {
				conf = c
				return dnsmasqtest.Check(c)
			}})
			for _, c := range want.calls {
				status, got := call(t, f, c[0], c[1], c[2])
				if state, isStatus := strings.CutPrefix(c[3], "status "); isStatus {
					c[3], got = state, decode(t, got).(map[string]any)["status"].(string)
					if status != http.StatusOK || got != c[3] {
						t.Errorf("%v: %d %s", c, status, got)
					}
					continue
				}
				if status != http.StatusOK || !reflect.DeepEqual(decode(t, got), decode(t, c[3])) {
					t.Errorf("%v: %d %s", c, status, got)
				}
			}
			if got := strings.Split(strings.TrimSpace(conf), "\n"); !slices.Equal(got, want.conf) {
				t.Errorf("dnsmasq.conf is\n%s\nrecorded\n%s", strings.Join(got, "\n"), strings.Join(want.conf, "\n"))
			}
		})
	}
}
