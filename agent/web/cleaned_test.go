package web

import (
	"net/http"
	"strings"
	"testing"

	"pxeagent/agent/boot"
	"pxeagent/agent/machine"
)

// oneDocument is a Documents with one in it.
type oneDocument struct{}

func (oneDocument) FindDocument(name string) (string, bool) {
	return "preseed.cfg", strings.EqualFold(name, "preseed.cfg")
}
func (oneDocument) Document(machine.Request) (machine.Document, error) {
	return machine.Document{ContentType: "text/plain", Text: []byte("preseed")}, nil
}

// Whatever is written between the slashes, what is ours is found at once: no answer is a redirect.
func TestCrookedPathsAreNoRedirects(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Documents = oneDocument{} })
	s.put("http/kernel/vmlinuz", []byte("kernel"))
	for path, want := range map[string]struct {
		status   int
		body     string
		artifact boot.Artifact
	}{
		"//metrics":                      {200, "", boot.Internal},
		"/./metrics":                     {200, "", boot.Internal},
		"/../metrics":                    {200, "", boot.Internal},
		"/x/..//metrics":                 {200, "", boot.Internal},
		"/%2e%2e/metrics":                {200, "", boot.Internal},
		"///":                            {200, "", boot.Internal},
		"/./":                            {200, "", boot.Internal},
		"//healthz?a=b":                  {200, "ok\n", boot.Internal},
		"//readyz":                       {200, "ok\n", boot.Internal},
		"//provision/preseed.cfg":        {200, "preseed", boot.Other},
		"/provision/../provision//x":     {404, "not found\n", boot.NoFile},
		"/x/../provision//./preseed.cfg": {200, "preseed", boot.Other},
		`/provision\preseed.cfg`:         {200, "preseed", boot.Other},
		`/\PROVISION\Preseed.CFG`:        {200, "preseed", boot.Other},
		"/Provision/preseed.cfg/":        {200, "preseed", boot.Other},
		"/provision/preseed.cfg%ff":      {200, "preseed", boot.Other},
		"/provision":                     {404, "not found\n", boot.NoFile},
		"/apis/v1/status":                {404, "not found\n", boot.NoFile},
		"/metrics/":                      {404, "not found\n", boot.NoFile},
		"//kernel//vmlinuz":              {200, "kernel", boot.Kernel},
		"/./kernel/./vmlinuz":            {200, "kernel", boot.Kernel},
	} {
		resp, body := s.do(http.MethodGet, path)
		tr := s.next(t)
		if resp.StatusCode != want.status || want.body != "" && body != want.body || tr.Artifact != want.artifact {
			t.Errorf(
				"%s: %s, %.60q, %s; want %d, %q, %s",
				path,
				resp.Status,
				body,
				tr.Artifact,
				want.status,
				want.body,
				want.artifact,
			)
		}
		if name, _, _ := strings.Cut(path, "?"); tr.Name != strings.NewReplacer("%2e", ".", "%ff", "\xff").Replace(name) {
			t.Errorf("%s: observed %q, want the path as it was sent", path, tr.Name)
		}
	}
}

// An action by a crooked path is guarded as by the straight one.
func TestCrookedPathsOfActions(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Actions, c.Gate = &deeds{}, NewGate(theToken) })
	for _, path := range []string{"/api/v1/check", "//api/v1/check", "/./api/v1/check", "/x/../api/v1/check",
		"/API/V1/check",
		`/api\v1\check`} {
		for token, want := range map[string]int{"wrong": http.StatusUnauthorized, theToken: http.StatusAccepted} {
			resp, _ := s.do(http.MethodPost, path, "Content-Type", "application/json", "Authorization", "Bearer "+token)
			if resp.StatusCode != want {
				t.Errorf("%s with token %q: %s, want %d", path, token, resp.Status, want)
			}
			s.next(t)
		}
	}
}
