package config

import (
	"net/url"
	"os"
	"strings"

	"pxeagent/cmd/pxeagent/cli"
)

// Source is the file, in words.
func (l Loaded) Source() string {
	if l.File == "" {
		return "no file, " + strings.Join(Paths, " and ") + " do not exist"
	}
	return l.File
}

// Row is one line of `config show`.
type Row struct {
	Key   string `json:"key"`
	Value any    `json:"value"` // text, list of texts, or null where not set
	From  string `json:"from"`
}

// Rows are all settings and, hidden, those secrets that do not come from a file that a setting names.
func (l Loaded) Rows() []Row {
	var rows []Row
	for _, s := range l.Settings {
		r := Row{Key: s.Key.Name, From: s.From.String()}
		switch {
		case len(s.Texts) == 0:
		case s.Key.Shape == List || s.Key.Shape == Words:
			r.Value = s.Texts
		default:
			r.Value = s.shown()
		}
		rows = append(rows, r)
	}
	for _, p := range l.Parts {
		r := Row{Key: p.Name, From: p.From.String()}
		if p.Entries > 0 {
			r.Value = cli.Count(p.Entries, "entry")
		}
		rows = append(rows, r)
	}
	for _, src := range l.secrets {
		if os.Getenv(src.Env) != "" {
			rows = append(rows, Row{src.Key, hidden, src.Env})
		} else if cred := credentialPath(src.Credential); cred != "" && src.File(l.Config) == "" {
			if _, err := os.Stat(cred); err == nil {
				rows = append(rows, Row{src.Key, hidden, cred})
			}
		}
	}
	return rows
}

// shown is the text of a key that has one. Of a URL for posts only the host and the path are shown: chat services
// keep the secret in the query or the user.
func (s Setting) shown() string {
	u, err := url.Parse(s.Texts[0])
	if s.Key.Name != webhookURL || err != nil {
		return s.Texts[0]
	}
	if u.User != nil {
		u.User = url.User(hidden)
	}
	if u.RawQuery != "" {
		u.RawQuery = hidden
	}
	return u.String()
}
