package opnsensetest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func rowsOf(t *testing.T, f *Firewall, what string) (list []map[string]any) {
	t.Helper()
	_, text := call(t, f, "GET", settings+"search"+what, "")
	answer := decode(t, text).(map[string]any)
	for _, row := range answer["rows"].([]any) {
		list = append(list, row.(map[string]any))
	}
	if int(answer["total"].(float64)) != len(list) {
		t.Errorf("%s", text)
	}
	return list
}

func uuids(list []Boot) (all []string) {
	for _, b := range list {
		all = append(all, b.UUID)
	}
	return all
}

// A range of the factory's has another uuid at each read until something is saved.
func TestFactoryRange(t *testing.T) {
	f := open(t, Options{})
	first, second := rowsOf(t, f, "Range"), rowsOf(t, f, "Range")
	if len(first) != 1 || first[0]["uuid"] == second[0]["uuid"] || first[0]["start_addr"] != "10.77.0.100" ||
		first[0]["%interface"] != "LAN" {
		t.Errorf("ranges %v and then %v", first, second)
	}
	call(t, f, "POST", settings+"setTag/"+tagID, `{"tag":{"tag":"x"}}`)
	if first, second = rowsOf(t, f, "Range"), rowsOf(t, f, "Range"); first[0]["uuid"] != second[0]["uuid"] {
		t.Errorf("ranges %v and then %v", first, second)
	}
}

// Rows keep their place when they are set, new ones go last, and only what is sent changes.
func TestOrder(t *testing.T) {
	f := configured(t, Options{})
	set := func(id, fields string) {
		t.Helper()
		if _, got := call(t, f, "POST", settings+"setBoot/"+id, `{"boot":{`+fields+`}}`); got != `{"result":"saved"}` {
			t.Fatal(got)
		}
	}
	set(otherID, `"filename":"b.efi"`)
	set(bootID, `"filename":"c.efi"`)
	boots := f.Config().Dnsmasq.Boots
	if !slices.Equal(uuids(boots), []string{bootID, otherID}) || boots[0].Filename != "c.efi" ||
		boots[0].Address != "10.77.0.9" {
		t.Errorf("boots %+v", boots)
	}
	writes := f.Writes()
	set(bootID, `"filename":"c.efi"`)
	if f.Writes() != writes {
		t.Error("a set that changes nothing is counted as a write")
	}
	_, got := call(t, f, "POST", settings+"delBoot/"+bootID, "{}")
	set(bootID, `"filename":"d.efi"`)
	if boots := f.Config().Dnsmasq.Boots; got != `{"result":"deleted"}` ||
		!slices.Equal(uuids(boots), []string{otherID, bootID}) {
		t.Errorf("%s; boots %+v", got, boots)
	}
	rows := rowsOf(t, f, "Boot")
	if rows[1]["uuid"] != bootID || rows[1]["interface"] != "" || rows[1]["%interface"] != "Any" {
		t.Errorf("rows %v", rows)
	}
	if _, got = call(t, f, "POST", settings+"delBoot/"+bootID+","+otherID, "{}"); got != `{"result":"deleted"}` ||
		len(f.Config().Dnsmasq.Boots) > 0 {
		t.Errorf("%s; boots %+v", got, f.Config().Dnsmasq.Boots)
	}
	call(t, f, "POST", settings+"delOption/"+matchID, "{}")
	if _, got = call(t, f, "POST", settings+"delTag/"+tagID, "{}"); got != `{"result":"deleted"}` {
		t.Errorf("a tag that nothing uses any longer: %s", got)
	}
	_, added := call(t, f, "POST", settings+"add_boot", `{"boot":{"filename":"e.efi"}}`)
	if id := decode(t, added).(map[string]any)["uuid"]; id != f.Config().Dnsmasq.Boots[0].UUID ||
		!uuidShape.MatchString(id.(string)) {
		t.Errorf("added %s", added)
	}
}

// The whole section is shown, and can be set at once: unknown rows get other uuids.
func TestGetAndSet(t *testing.T) {
	f := configured(t, Options{})
	_, text := call(t, f, "GET", settings+"get", "")
	all := decode(t, text).(map[string]any)["dnsmasq"].(map[string]any)
	lan := all["interface"].(map[string]any)["lan"].(map[string]any)
	dhcp := all["dhcp"].(map[string]any)
	if all["enable"] != "1" || lan["selected"] != 1.0 || lan["value"] != "LAN" || dhcp["host_ping"] != "1" {
		t.Errorf("%s", text)
	}
	boot := all["dhcp_boot"].(map[string]any)[bootID].(map[string]any)
	if boot["filename"] != "a.efi" || boot["tag"].(map[string]any)[tagID].(map[string]any)["selected"] != 1.0 {
		t.Errorf("boot %v", boot)
	}
	body := `{"dnsmasq":{"enable":"0","dhcp_boot":{"` + bootID + `":{"address":"10.77.0.5"},"` + otherID +
		`":{"filename":"n"}}}}`
	if _, got := call(t, f, "POST", settings+"set", body); got != `{"result":"saved"}` {
		t.Fatal(got)
	}
	d := f.Config().Dnsmasq
	if d.Enable || len(d.Boots) != 2 || d.Boots[0].Address != "10.77.0.5" || d.Boots[0].Filename != "a.efi" ||
		d.Boots[1].UUID == otherID {
		t.Errorf("%+v", d)
	}
	_, text = call(t, f, "GET", settings+"getTagList", "")
	if !strings.Contains(text, `{"label":"GUEST","value":"opt1"}`) {
		t.Errorf("%s", text)
	}
	old := configured(t, Options{Version: "26.1.4"})
	if _, text = call(t, old, "GET", settings+"get", ""); strings.Contains(text, "host_ping") {
		t.Errorf("host_ping in 26.1.4: %s", text)
	}
	old = configured(t, Options{Version: "25.1.8"})
	if rows := rowsOf(t, old, "Boot"); rows[0]["interface"] != "LAN" || rows[0]["tag"] != "efi64" {
		t.Errorf("rows of 25.1.8: %v", rows)
	}
}

// What is saved is loaded when it is applied, and a daemon that dies is only seen in its status.
func TestApplying(t *testing.T) {
	var loaded []string
	f := configured(t, Options{SlowStart: 1, Load: func(conf string) error {
		loaded = append(loaded, conf)
		return nil
	}})
	status := func() string {
		_, text := call(t, f, "GET", "api/dnsmasq/service/status", "")
		return decode(t, text).(map[string]any)["status"].(string)
	}
	f.Edit(func(c *Config) { c.Dnsmasq.Boots[0].Filename = "saved.efi" })
	if f.Loads() != 0 || strings.Contains(loaded[len(loaded)-1], "saved.efi") {
		t.Error("what was only saved is loaded")
	}
	call(t, f, "POST", "api/dnsmasq/service/restart", "{}")
	if f.Loads() != 1 || !strings.Contains(loaded[len(loaded)-1], "saved.efi") {
		t.Errorf("%d loads, the last is\n%s", f.Loads(), loaded[len(loaded)-1])
	}
	if a, b := status(), status(); a != "stopped" || b != "running" {
		t.Errorf("the status is %s and then %s", a, b)
	}
	f.Break(true)
	if _, got := call(t, f, "POST", "api/dnsmasq/service/reconfigure", "{}"); got != `{"status":"ok"}` || f.Running() ||
		status() != "stopped" {
		t.Errorf("broken: %s, running %v", got, f.Running())
	}
	f.Break(false)
	f.Edit(func(c *Config) { c.Dnsmasq.Enable = false })
	f.Apply()
	if s := status(); s != "disabled" {
		t.Errorf("the status is %s", s)
	}
	quoted := configured(t, Options{})
	call(t, quoted, "POST", settings+"setBoot/"+bootID, `{"boot":{"filename":"a\"b"}}`)
	if !quoted.Running() {
		t.Error("what is only saved ends Dnsmasq")
	}
	if call(t, quoted, "POST", "api/dnsmasq/service/restart", "{}"); quoted.Running() {
		t.Error("Dnsmasq runs with half a quotation")
	}
}

// Each fault does what it says.
func TestFaults(t *testing.T) {
	f := configured(t, Options{})
	set := func() (status int, err error) {
		r, err := http.NewRequest("POST", f.URL().String()+"/"+settings+"setBoot/"+bootID,
			strings.NewReader(`{"boot":{"filename":"new.efi"}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(key, secret)
		r.Header.Set("Content-Type", "application/json")
		r.Close = true
		res, err := client(f).Do(r)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	file := func() string { return f.Config().Dnsmasq.Boots[0].Filename }
	f.Fault(func(int, *http.Request) Fault { return Fault{Status: http.StatusBadGateway, Body: "bad gateway"} })
	if status, err := set(); status != http.StatusBadGateway || err != nil || file() != "a.efi" {
		t.Errorf("502: %d %v, %s", status, err, file())
	}
	f.Fault(func(int, *http.Request) Fault { return Fault{Cut: true} })
	if _, err := set(); err == nil || file() != "a.efi" {
		t.Errorf("cut: %v, %s", err, file())
	}
	f.Fault(func(int, *http.Request) Fault { return Fault{Lost: true} })
	if _, err := set(); err == nil || file() != "new.efi" {
		t.Errorf("lost: %v, %s", err, file())
	}
	f.Fault(func(n int, _ *http.Request) Fault {
		if n == 2 {
			f.Edit(func(c *Config) { c.Dnsmasq.Boots[0].Address = "10.77.0.99" })
		}
		return Fault{}
	})
	for range 2 {
		if _, err := set(); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Config().Dnsmasq.Boots[0].Address; got != "10.77.0.99" {
		t.Errorf("nobody edited between the requests: %s", got)
	}
	f.Fault(func(int, *http.Request) Fault { f.PowerOff(); return Fault{} })
	if _, err := set(); err == nil {
		t.Error("there is an answer from a firewall that was turned off")
	}
	f.Fault(nil)
	if _, err := set(); err == nil {
		t.Error("a firewall that is off answers")
	}
	if err := f.PowerOn(); err != nil {
		t.Fatal(err)
	}
	if status, err := set(); status != http.StatusOK || err != nil {
		t.Errorf("on again: %d %v", status, err)
	}
	if asked := f.Asked(); len(asked) != 7 || asked[0] != "POST /"+settings+"setBoot/"+bootID {
		t.Errorf("asked %q", asked)
	}
}
