package pfsensetest_test

import (
	"context"
	"errors"
	"flag"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pxeagent/agent/dhcp"
	"pxeagent/agent/dhcp/remote"
	"pxeagent/agent/firmware"
	"pxeagent/agent/probe"
	"pxeagent/pfsense"
	"pxeagent/pfsense/pfsensetest"
)

// TestMain lets four situations happen at a time unless -parallel says otherwise: in the longest ones half a minute is
// waited for the firewall.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "4")
	os.Exit(m.Run())
}

// The transports in.
var transports = []string{"rest", "xmlrpc"}

func start(t *testing.T, o pfsensetest.Options) *pfsensetest.Firewall {
	t.Helper()
	f, err := pfsensetest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// open reaches f as the command does, with its certificate pinned.
func open(t *testing.T, f *pfsensetest.Firewall, transport string) *pfsense.Server {
	t.Helper()
	pin := f.Fingerprint()
	s, err := pfsense.New(pfsense.Config{Config: remote.Config{URL: f.URL(), TLSSHA256: &pin}, Transport: transport,
		Interface: "admin", User: "admin", Password: func() (string, error) { return "pfsense", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func desired() dhcp.Boot {
	var b dhcp.Boot
	b.NextServer = netip.MustParseAddr("10.99.0.5")
	b.NBP[firmware.BIOS], b.NBP[firmware.EFI64] = "undionly.kpxe", "ipxe.efi"
	return b
}

func plan(t *testing.T, s *pfsense.Server) dhcp.Plan {
	t.Helper()
	p, err := s.Plan(t.Context(), desired())
	if err != nil {
		t.Fatal(err)
	}
	if q, refused := p.Refused(); refused {
		t.Fatalf("refused: %s", q.Text)
	}
	return p
}

func text(f *pfsensetest.Firewall, path string) string {
	text, there := f.Saved().Text(path)
	if !there {
		return "(absent)"
	}
	return text
}

func TestThere(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			f := start(t, pfsensetest.Options{})
			before := f.Saved()
			s := open(t, f, transport)
			p := plan(t, s)
			if len(f.Files()) != 0 || f.Writes() != 0 || f.Loads() != 0 {
				t.Errorf("planning left %v, %d writes, %d loads", f.Files(), f.Writes(), f.Loads())
			}
			if err := s.Apply(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			after := f.Saved()
			if text(f, "dhcpd/opt1/filename64") != "ipxe.efi" || text(f, "dhcpd/opt1/netboot") != "" {
				t.Errorf("config.xml is %v", after.Under("dhcpd/opt1"))
			}
			if diff := cmp.Diff(after, f.Loaded()); diff != "" {
				t.Errorf("saved (-) and loaded (+):\n%s", diff)
			}
			if err := s.Revert(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, f.Saved()); diff != "" {
				t.Errorf("before (-) and after the revert (+):\n%s", diff)
			}
			if len(f.Files()) != 0 || f.Writes() != 2 || f.Loads() != 2 || len(f.History()) != 3 {
				t.Errorf("at the end %v, %d writes, %d loads, history %v", f.Files(), f.Writes(), f.Loads(), f.History())
			}
		})
	}
}

// TestSituations orders what can happen between a plan and its end, and looks at what is left.
func TestSituations(t *testing.T) {
	for name, c := range map[string]struct {
		arrange   func(*pfsensetest.Firewall)
		err       error  // nil: none
		nbp       string // filename in config.xml at the end
		loaded    string // and in the daemon; "(stopped)": it does not run
		transport string // "": both
	}{
		"well": {arrange: func(*pfsensetest.Firewall) {}, nbp: "undionly.kpxe", loaded: "undionly.kpxe"},
		"dirty": {arrange: func(f *pfsensetest.Firewall) { f.SetDirty(true) },
			err: pfsense.ErrUnapplied, nbp: "", loaded: ""},
		"section gone": {arrange: func(f *pfsensetest.Firewall) {
			f.Edit("DHCP removed", func(c pfsensetest.Tree) { c.Remove("dhcpd/opt1") })
		},
			err: pfsense.ErrNoSection, nbp: "(absent)", loaded: ""},
		"edited before": {arrange: func(f *pfsensetest.Firewall) {
			f.EditAt(pfsensetest.BeforeLock, func(c pfsensetest.Tree) { c.Set("dhcpd/opt1/filename", "theirs") })
		}, err: dhcp.ErrChanged, nbp: "theirs", loaded: ""},
		"emptied before": {arrange: func(f *pfsensetest.Firewall) {
			f.EditAt(pfsensetest.BeforeLock, func(c pfsensetest.Tree) { c.Remove("dhcpd/opt1/filename") })
		}, err: dhcp.ErrChanged, nbp: "(absent)", loaded: ""},
		"overwritten": {arrange: func(f *pfsensetest.Firewall) {
			f.EditAt(pfsensetest.AfterWrite, func(c pfsensetest.Tree) { c.Set("dhcpd/opt1/filename", "theirs") })
		}, err: dhcp.ErrChanged, nbp: "theirs", loaded: ""},
		"daemon fails once": {arrange: func(f *pfsensetest.Firewall) { f.FailLoads(1) },
			err: dhcp.ErrReload, nbp: "", loaded: ""},
		"daemon fails for good": {arrange: func(f *pfsensetest.Firewall) { f.FailLoads(9) },
			err: pfsense.ErrStopped, nbp: "", loaded: "(stopped)"},
		"daemon fails and somebody edits": {arrange: func(f *pfsensetest.Firewall) {
			f.FailLoads(1)
			f.EditAt(pfsensetest.AfterLoad, func(c pfsensetest.Tree) { c.Set("dhcpd/opt1/filename", "theirs") })
		}, err: pfsense.ErrStopped, nbp: "theirs", loaded: "(stopped)"},
		"daemon did not run": {arrange: func(f *pfsensetest.Firewall) { f.StopDHCP(); f.FailLoads(1) },
			nbp: "undionly.kpxe", loaded: "(stopped)"},
		"refused": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.Unauthorized}) },
			err: pfsense.ErrCredential},
		"no privilege": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.NoPrivilege}) },
			err: pfsense.ErrPrivilege},
		"not on the list": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.NotAllowed})
		},
			err: pfsense.ErrNotAllowed, transport: "rest"},
		"read only": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.ReadOnly}) },
			err: pfsense.ErrReadOnly, transport: "rest"},
		"switched off": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.Disabled}) },
			err: pfsense.ErrUnavailable, transport: "rest"},
		"down": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.Down}) },
			err: pfsense.ErrGateway},
		"no package": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.NoPackage}) },
			err: pfsense.ErrNoPackage, transport: "rest"},
		"fatal": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.Fatal, Op: "write"}) },
			err: pfsense.ErrProgram},
		"throw": {arrange: func(f *pfsensetest.Firewall) { f.Order(pfsensetest.Fault{Kind: pfsensetest.Throw, Op: "write"}) },
			err: pfsense.ErrProgram},
		"no result": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.NoResult, Op: "write"})
		},
			err: pfsense.ErrProgram, transport: "xmlrpc"},
		"printed": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.Print, Op: "write"})
		},
			nbp: "undionly.kpxe", loaded: "undionly.kpxe", transport: "xmlrpc"},
		"no text": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.NoText, Op: "write"})
		},
			err: pfsense.ErrProgram, nbp: "undionly.kpxe", loaded: "undionly.kpxe", transport: "rest"},
		"not saved": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.Unsaved, Op: "write"})
		},
			err: pfsense.ErrProgram},
		"not loaded": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.Unloaded, Op: "write"})
		},
			err: pfsense.ErrProgram, nbp: "undionly.kpxe"},
		"cut before": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.CutBefore, Op: "write"})
		},
			err: pfsense.ErrUnreachable},
		"cut after": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.CutAfter, Op: "write"})
		},
			err: pfsense.ErrUnreachable, nbp: "undionly.kpxe", loaded: "undionly.kpxe"},
		"chunk lost": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.LoseChunk, Op: "chunk", Skip: 1, Times: 1})
		}, err: pfsense.ErrProgram, transport: "rest"},
		"chunk changed": {arrange: func(f *pfsensetest.Firewall) {
			f.Order(pfsensetest.Fault{Kind: pfsensetest.ChangeChunk, Op: "chunk", Times: 1})
		},
			err: pfsense.ErrProgram, transport: "rest"},
	} {
		for _, transport := range transports {
			if c.transport != "" && c.transport != transport {
				continue
			}
			t.Run(name+" by "+transport, func(t *testing.T) {
				t.Parallel() // some wait for half a minute for the firewall to come back
				f := start(t, pfsensetest.Options{})
				s := open(t, f, transport)
				p := plan(t, s)
				c.arrange(f)
				if err := s.Apply(t.Context(), p); !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
				if got := text(f, "dhcpd/opt1/filename"); got != c.nbp {
					t.Errorf("config.xml says %q, want %q", got, c.nbp)
				}
				runs, loaded := f.Loaded(), "(stopped)"
				if runs != nil {
					loaded, _ = runs.Text("dhcpd/opt1/filename")
				}
				if loaded != c.loaded {
					t.Errorf("the daemon says %q, want %q", loaded, c.loaded)
				}
				f.Heal()
				for file := range f.Files() {
					if !errors.Is(c.err, pfsense.ErrUnreachable) {
						t.Errorf("%s was left", file)
					}
				}
			})
		}
	}
}

// TestSlow: an answer that comes too late was carried out.
func TestSlow(t *testing.T) {
	f := start(t, pfsensetest.Options{})
	s := open(t, f, "xmlrpc")
	p := plan(t, s)
	f.Order(pfsensetest.Fault{Kind: pfsensetest.Slow, Delay: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.Apply(ctx, p); !errors.Is(err, pfsense.ErrTimeout) {
		t.Errorf("error %v", err)
	}
	if got := text(f, "dhcpd/opt1/filename"); got != "undionly.kpxe" {
		t.Errorf("config.xml says %q", got)
	}
	f.Heal()
	f.Order(pfsensetest.Fault{Kind: pfsensetest.Slow, Delay: 20 * time.Millisecond})
	if _, err := s.Plan(t.Context(), desired()); err != nil {
		t.Errorf("a little slow: %v", err)
	}
}

// TestRefusedLogins: what feeds the firewall's brute-force protection is counted; a missing privilege does by XML-RPC
// only.
func TestRefusedLogins(t *testing.T) {
	for kind, want := range map[pfsensetest.Kind]map[string]int{
		pfsensetest.Unauthorized: {"rest": 1, "xmlrpc": 1}, pfsensetest.NoPrivilege: {"rest": 0, "xmlrpc": 1},
		pfsensetest.Down: {"rest": 0, "xmlrpc": 0},
	} {
		for _, transport := range transports {
			f := start(t, pfsensetest.Options{})
			f.Order(pfsensetest.Fault{Kind: kind})
			if _, err := open(t, f, transport).Plan(t.Context(), desired()); err == nil {
				t.Errorf("%s by %s: no error", kind, transport)
			}
			if got := f.Refused(); got != want[transport] {
				t.Errorf("%s by %s: %d refused, want %d", kind, transport, got, want[transport])
			}
		}
	}
}

// TestChangedCertificate: with the old one pinned the error has both fingerprints, and nothing is sent.
func TestChangedCertificate(t *testing.T) {
	f := start(t, pfsensetest.Options{})
	s, old := open(t, f, "rest"), f.Fingerprint()
	if err := f.ChangeCertificate(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Plan(t.Context(), desired())
	var changed *remote.CertificateError
	if !errors.As(err, &changed) || changed.Want != old || changed.Got != f.Fingerprint() {
		t.Errorf("error %v", err)
	}
	if n := len(f.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	plan(t, open(t, f, "rest"))
}

// TestLockOut: after the third rejected login no connection is answered.
func TestLockOut(t *testing.T) {
	f := start(t, pfsensetest.Options{LockOut: 3})
	pin := f.Fingerprint()
	for i := range 4 {
		bad, err := pfsense.New(pfsense.Config{Config: remote.Config{URL: f.URL(), TLSSHA256: &pin},
			Transport: "xmlrpc", Interface: "admin", User: "admin",
			Password: func() (string, error) { return "wrong", nil }})
		if err != nil {
			t.Fatal(err)
		}
		want := pfsense.ErrCredential
		if i == 3 {
			want = pfsense.ErrUnreachable
		}
		if _, err := bad.Plan(t.Context(), desired()); !errors.Is(err, want) {
			t.Errorf("attempt %d: %v, want %v", i+1, err, want)
		}
	}
	if _, err := open(t, f, "rest").Plan(t.Context(), desired()); !errors.Is(err, pfsense.ErrUnreachable) {
		t.Errorf("with the right password: %v", err)
	}
}

// TestOldPiecesGo: what a killed run left goes with the next one, once it is over a minute old.
func TestOldPiecesGo(t *testing.T) {
	now := time.Now()
	f := start(t, pfsensetest.Options{Clock: func() time.Time { return now }})
	s := open(t, f, "rest")
	f.Order(pfsensetest.Fault{Kind: pfsensetest.CutBefore, Op: "read", Times: 1})
	if _, err := s.Plan(t.Context(), desired()); !errors.Is(err, pfsense.ErrUnreachable) {
		t.Fatal(err)
	}
	left := len(f.Files())
	plan(t, s)
	if got := len(f.Files()); got != left {
		t.Errorf("%d files, then %d, at once", left, got)
	}
	now = now.Add(3 * time.Minute)
	plan(t, s)
	if files := f.Files(); len(files) != 0 {
		t.Errorf("left after three minutes: %v", files)
	}
}

// TestOnTheWire asks the DHCP server on loopback as every client, before and after a change.
func TestOnTheWire(t *testing.T) {
	for _, engine := range []string{"isc", "kea"} {
		for release, efi64 := range map[string]string{"2.7.2-RELEASE": "undionly.kpxe", "2.8.0-RELEASE": "ipxe.efi"} {
			t.Run(engine+" "+release, func(t *testing.T) {
				config := pfsensetest.Default()
				config.Set("dhcpbackend", engine)
				f := start(t, pfsensetest.Options{Config: config, Release: release})
				server, err := f.ListenDHCP("opt1", netip.MustParseAddrPort("127.0.0.1:0"))
				if err != nil {
					t.Fatal(err)
				}
				ask := func(limit time.Duration) []firmware.Offer {
					r, err := probe.Run(t.Context(), probe.Config{Server: server, RelayPort: probe.AnyPort,
						Quiet: 50 * time.Millisecond, Limit: limit})
					if err != nil {
						t.Fatal(err)
					}
					return r.Offers
				}
				for _, o := range ask(5 * time.Second) {
					if name, _ := o.BootFile(); name != "" || o.NextServer != netip.IPv4Unspecified() {
						t.Errorf("before: %+v", o)
					}
				}
				s := open(t, f, "rest")
				if err := s.Apply(t.Context(), plan(t, s)); err != nil {
					t.Fatal(err)
				}
				offers := ask(5 * time.Second)
				if len(offers) != int(firmware.NumClient) {
					t.Errorf("%d offers", len(offers))
				}
				for _, o := range offers {
					want := firmware.Offer{Client: o.Client, Server: netip.MustParseAddr("10.99.0.1"),
						NextServer: netip.MustParseAddr("10.99.0.5")}
					name := "undionly.kpxe"
					if o.Client == firmware.ClientEFI64 || o.Client == firmware.ClientEFIBC {
						if name = "ipxe.efi"; engine == "kea" {
							name = efi64
						}
					}
					if want.File = name; engine == "kea" {
						want.File, want.Option67 = "", name
					}
					if diff := cmp.Diff(want, o, cmpopts.IgnoreFields(firmware.Offer{}, "From", "YourIP", "Via", "After", "End67",
						"Type", "Options", "LastCode"),
						cmp.Comparer(func(a, b netip.Addr) bool {
							return a == b
						})); diff != "" {
						t.Errorf("%v: wanted (-) and offered (+):\n%s", o.Client, diff)
					}
				}
				f.StopDHCP()
				if offers := ask(300 * time.Millisecond); len(offers) != 0 {
					t.Errorf("offers of a stopped daemon: %v", offers)
				}
			})
		}
	}
}
