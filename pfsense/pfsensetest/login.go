package pfsensetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Privileges. Those of the REST package are named by path and method.
const (
	everything      = "page-all"
	xmlrpcPrivilege = "system-xmlrpc-ha-sync"
)

func (u User) may(privilege string) bool {
	return slices.Contains(u.Privileges, everything) || slices.Contains(u.Privileges, privilege)
}

// mayXMLRPC: the privilege for all pages is not enough here.
func (u User) mayXMLRPC() bool {
	return u.Name == "admin" || slices.Contains(u.Privileges, xmlrpcPrivilege)
}

func (f *Firewall) user(name string) (User, bool) {
	i := slices.IndexFunc(f.opts.Users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, false
	}
	return f.opts.Users[i], true
}

// basicUser is the user who logs in by name and password.
func (f *Firewall) basicUser(r *http.Request) (User, bool) {
	name, password, given := r.BasicAuth()
	u, known := f.user(name)
	return u, given && known && u.Password == password
}

// restUser is the user who logs in to the REST package: by name and password, by API key or by token.
func (f *Firewall) restUser(r *http.Request) (User, bool) {
	if key := r.Header.Get("X-API-Key"); key != "" {
		i := slices.IndexFunc(f.opts.Keys, func(k Key) bool { return k.Value == key })
		if i < 0 {
			return User{}, false
		}
		return f.user(f.opts.Keys[i].User)
	}
	if token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); bearer {
		return f.tokenUser(token)
	}
	return f.basicUser(r)
}

// refuse counts a rejected login.
func (f *Firewall) refuse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused++
}

func (f *Firewall) lockedOut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opts.LockOut > 0 && f.refused >= f.opts.LockOut
}

const (
	tokenLife   = time.Hour
	tokenHeader = `{"typ":"JWT","alg":"HS256"}`
)

// claims are the claims of a token.
type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	From     int64  `json:"nbf"`
	User     string `json:"data"`
}

// token is a JSON Web Token (RFC 7519) for u.
func (f *Firewall) token(u User) string {
	now := f.opts.Clock()
	body := phpJSON(claims{"pfSense", "pfSense", now.Add(tokenLife).Unix(), now.Unix(), u.Name})
	part := base64.RawURLEncoding.EncodeToString
	signed := part([]byte(tokenHeader)) + "." + part([]byte(body))
	return signed + "." + part(f.sign(signed))
}

func (f *Firewall) tokenUser(token string) (User, bool) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return User{}, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || !hmac.Equal(signature, f.sign(token[:at])) {
		return User{}, false
	}
	_, body, _ := strings.Cut(token[:at], ".")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	var c claims
	if err != nil || json.Unmarshal(raw, &c) != nil || f.opts.Clock().Unix() > c.Expires {
		return User{}, false
	}
	return f.user(c.User)
}

func (f *Firewall) sign(text string) []byte {
	m := hmac.New(sha256.New, f.secret[:])
	m.Write([]byte(text))
	return m.Sum(nil)
}
