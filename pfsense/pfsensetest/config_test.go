package pfsensetest

import (
	"encoding/xml"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// xmlValue is a value of XML-RPC.
type xmlValue struct {
	Text    *string `xml:"string"`
	Members []struct {
		Name  string   `xml:"name"`
		Value xmlValue `xml:"value"`
	} `xml:"struct>member"`
	Items []xmlValue `xml:"array>data>value"`
}

func (v xmlValue) element() any {
	switch {
	case v.Text != nil:
		return *v.Text
	case v.Items != nil:
		var list []Tree
		for _, item := range v.Items {
			list = append(list, item.element().(Tree))
		}
		return list
	}
	t := Tree{}
	for _, m := range v.Members {
		t[m.Name] = m.Value.element()
	}
	return t
}

// TestDefaultIsTheRecordedConfiguration compares with what XML-RPC's backup_config_section showed, but for the second
// static mapping, which had boot settings of its own there.
func TestDefaultIsTheRecordedConfiguration(t *testing.T) {
	_, _, body := transcript(t, "xmlrpc-backup-dhcpd")
	var response struct {
		Value xmlValue `xml:"params>param>value"`
	}
	if err := xml.Unmarshal([]byte(body), &response); err != nil {
		t.Fatal(err)
	}
	want := response.Value.element().(Tree)
	if mac, _ := want.Text("dhcpd/opt1/staticmap/1/mac"); mac != "02:00:00:00:aa:02" {
		t.Fatalf("the recording was not understood: %v", want)
	}
	got := Default()
	delete(got, "version")
	want.List("dhcpd/opt1/staticmap")[1] = got.Under("dhcpd/opt1/staticmap/1")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recorded (-) and default (+):\n%s", diff)
	}
}

func TestTree(t *testing.T) {
	c := Default()
	c.Set("dhcpd/opt1/staticmap/1/filename", "b.efi")
	c.Set("kea/ha/enable", "")
	c.Remove("dhcpd/opt1/filename")
	c.Remove("no/such/thing")
	for path, want := range map[string]struct {
		text  string
		there bool
	}{
		"dhcpd/opt1/staticmap/1/filename": {"b.efi", true}, "kea/ha/enable": {"", true}, "dhcpd/opt1/filename": {"", false},
		"dhcpd/opt1/nextserver": {"", true}, "dhcpd/opt1/pool/7/descr": {"", false},
		"dhcpd/opt1/enable/deeper": {"", false}, "version": {"24.5", true},
	} {
		if text, there := c.Text(path); text != want.text || there != want.there {
			t.Errorf("%s: %q, %v", path, text, there)
		}
	}
	copied := c.Clone()
	if diff := cmp.Diff(c, copied); diff != "" {
		t.Error(diff)
	}
	copied.Set("dhcpd/opt1/staticmap/0/filename", "other")
	copied.Set("dhcpd/opt1/range/from", "other")
	if text, _ := c.Text("dhcpd/opt1/staticmap/0/filename"); text != "" {
		t.Error("a copy shares a list with what it was copied from")
	}
	if text, _ := c.Text("dhcpd/opt1/range/from"); text != "10.99.0.100" {
		t.Error("a copy shares a tree with what it was copied from")
	}
}
