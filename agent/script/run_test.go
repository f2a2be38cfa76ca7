package script

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

// vector is a script that three builds of iPXE ran: what it may fetch, and what it did fetch where everything else was
// there, or missing.
type vector struct {
	ID     string
	Script string
	Served map[string]string
	Expect []struct{ URL, Role, Need string }
	Run    struct {
		All200 []string `json:"all200"`
		All404 []string `json:"all404"`
	}
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Vectors []vector }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all.Vectors
}

func parseURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// served loads what a vector has; the rest is not known.
func (v vector) served(u string) (Chained, bool) {
	if text, has := v.Served[strings.TrimPrefix(u, "http://10.0.2.2/v/"+v.ID+"/")]; has {
		return Chained{Text: []byte(text)}, true
	}
	return Chained{}, false
}

// What may be fetched, and what must be there, is what the builds showed.
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			base := "http://10.0.2.2/v/" + v.ID + "/"
			r := Run(
				[]byte(v.Script),
				parseURL(t, base+"s.ipxe"),
				Machine{
					Settings: map[string]string{"platform": "pcbios", "buildarch": "i386", "next-server": "10.0.2.2"},
				},
				v.served,
			)
			need := map[string]string{}
			for _, ref := range r.References {
				u := strings.TrimPrefix(ref.URL, base)
				if need[u] == "" {
					need[u] = "optional"
				}
				if ref.Required {
					need[u] = "required"
				}
			}
			want := map[string]string{}
			for _, e := range v.Expect {
				if e.URL == "e" { // under UEFI only
					continue
				}
				want[e.URL] = e.Need
			}
			if fmt.Sprint(need) != fmt.Sprint(want) {
				t.Errorf("%s\ngot  %v\nwant %v", v.Script, need, want)
			}
			for _, fetched := range slices.Concat(v.Run.All200, v.Run.All404) {
				if need[fetched] == "" {
					t.Errorf("iPXE fetched %s, which no way names", fetched)
				}
			}
			if !r.Complete {
				t.Error("not every way was followed")
			}
		})
	}
}
