package backend

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"

	"pxeagent/agent/dhcp/remote"
	"pxeagent/cmd/pxeagent/config"
)

const (
	// standInNetwork is what the demo calls its network.
	standInNetwork = "admin"
	// demoUser may do on the stand-in what the documentation says that pxeagent's user needs, and no more.
	demoUser = "pxeagent"
)

// loopback is any port of 127.0.0.1.
var loopback = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)

// standInWeb is the web server of a stand-in.
type standInWeb interface {
	URL() *url.URL
	Fingerprint() [32]byte
}

// standInFiles are what the demonstration keeps of a stand-in that is asked over HTTPS.
type standInFiles struct {
	dir    string
	secret string // the file that holds the password or the key
}

func newStandInFiles(dir, secret string) (standInFiles, error) {
	f := standInFiles{dir: dir, secret: filepath.Join(dir, "secret")}
	return f, os.WriteFile(f.secret, []byte(secret+"\n"), 0o600)
}

// credential is what the file holds.
func (f standInFiles) credential() (string, error) { return config.ReadSecretFile(f.secret, false, 2) }

// reach is how the stand-in's web server is reached, with its certificate pinned.
func (f standInFiles) reach(web standInWeb) remote.Config {
	pin := web.Fingerprint()
	return remote.Config{URL: web.URL(), TLSSHA256: &pin, StateDir: filepath.Join(f.dir, "state")}
}

// trusted looks at the certificate of the stand-in what, as `trust` does. Its fingerprint is compared with that on the
// server, which a person does.
func trusted(ctx context.Context, what string, web standInWeb) (string, error) {
	shown, err := remote.Presented(ctx, web.URL())
	if err != nil {
		return "", err
	}
	if shown.SHA256 != web.Fingerprint() {
		return "", errors.New("the certificate is not the " + what + "'s own")
	}
	sum := remote.Fingerprint(shown.SHA256)
	return fmt.Sprintf("the certificate of %s is pinned, SHA-256 %.23s…", web.URL(), sum), nil
}
