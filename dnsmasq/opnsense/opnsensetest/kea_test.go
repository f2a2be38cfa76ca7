package opnsensetest

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// keaCalls are those that were recorded. Where the real firewall made a uuid, the row is set with that one.
func keaCalls(t *testing.T, version string) (calls [][4]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "kea-"+version+"-calls.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		ask, answer, isCall := strings.Cut(strings.TrimSpace(line), " -> ")
		if !isCall || strings.Contains(ask, " with only ") {
			continue
		}
		words := append(strings.SplitN(ask, " ", 3), "")
		if made := regexp.MustCompile(`^{"result": "saved", "uuid": "(.*)"}$`).FindStringSubmatch(answer); made != nil {
			words[1] = strings.Replace(words[1], "/add", "/set", 1) + "/" + made[1]
			answer = `{"result":"saved"}`
		}
		calls = append(calls, [4]string{words[0], words[1], strings.TrimSpace(words[2]), answer})
	}
	if len(calls) < 12 {
		t.Fatalf("%d calls are recorded", len(calls))
	}
	return calls
}

// flat are the texts of a JSON object whose recording ends in the middle; of a name that is there twice, the first.
func flat(text string) map[string]string {
	all := map[string]string{}
	for _, pair := range regexp.MustCompile(`"([^"]+)": "([^"]*)"[,}]`).FindAllStringSubmatch(text, -1) {
		if _, there := all[pair[1]]; !there && pair[1] != "value" {
			all[pair[1]] = pair[2]
		}
	}
	return all
}

// keaSite is a firewall where Kea serves lan and nothing is set yet. Its addresses are unknown, as they were in the
// recordings.
func keaSite(t *testing.T, o Options) *Firewall {
	c := Default()
	c.Dnsmasq.Enable = false
	for i := range c.Interfaces {
		c.Interfaces[i].Address = netip.Prefix{}
	}
	o.Config = &c
	return open(t, o)
}

// What the real firewalls answered about Kea, and the configuration that they made for it, the stand-in says too.
func TestKeaAsRecorded(t *testing.T) {
	for _, version := range []string{"26.7.1", "26.7.2"} {
		t.Run(version, func(t *testing.T) {
			var conf string
			f := keaSite(t, Options{Version: version, LoadKea: func(c []byte) error {
				conf = string(c)
				return nil
			}})
			made := func(name string) {
				t.Helper()
				f.Apply()
				want, err := os.ReadFile(filepath.Join("testdata", "kea-"+version+"-"+name+".json"))
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(decode(t, conf), decode(t, string(want))) {
					t.Errorf("%s: Kea's configuration is\n%s\nrecorded\n%s", name, conf, want)
				}
			}
			for _, c := range keaCalls(t, version) {
				status, got := call(t, f, c[0], c[1], c[2])
				switch {
				case status != http.StatusOK:
					t.Errorf("%v: %d %s", c, status, got)
				case strings.HasSuffix(c[1], "/status"): // was recorded without the daemon
				case c[0] == http.MethodGet:
					have, want := flat(strings.ReplaceAll(strings.ReplaceAll(got, `":`, `": `), `",`, `", `)), flat(c[3])
					for name := range want {
						if value, there := have[name]; !there || value != want[name] {
							t.Errorf("%s: %s is %q, recorded %q", c[1], name, value, want[name])
						}
					}
					if len(want) < 5 {
						t.Errorf("%s: recorded is only %v", c[1], want)
					}
				case !reflect.DeepEqual(decode(t, got), decode(t, c[3])):
					t.Errorf("%v: %s", c, got)
				}
				if strings.Contains(c[1], "/setSubnet/") && strings.Contains(c[2], "pools") {
					made("plain")
				}
			}
			made("options")
		})
	}
}

// With addresses, each set of a subnet rewrites what all of them tell; options came later than subnets.
func TestKeaSubnets(t *testing.T) {
	c := Default()
	c.Kea = Kea{Enabled: true, Interfaces: []string{"lan"}, Subnets: []Subnet{
		{UUID: "11111111-1111-4111-8111-111111111111", Subnet: "10.78.0.0/24", Autocollect: "1", ID: "2"},
		{UUID: "22222222-2222-4222-8222-222222222222", Subnet: "10.77.0.0/24", Autocollect: "0", ID: "1"},
	}}
	f := open(t, Options{Config: &c, Version: "26.1.4"})
	const second = "api/kea/dhcpv4/setSubnet/22222222-2222-4222-8222-222222222222"
	if _, got := call(t, f, "POST", second, `{"subnet4":{"next_server":"10.77.0.5"}}`); got != `{"result":"saved"}` {
		t.Fatal(got)
	}
	now := f.Config().Kea.Subnets
	if now[0].Routers != "10.78.0.1" || now[1].Routers != "" || now[1].NextServer != "10.77.0.5" {
		t.Errorf("subnets %+v", now)
	}
	_, got := call(t, f, "GET", "api/kea/dhcpv4/searchSubnet", "")
	rows := decode(t, got).(map[string]any)["rows"].([]any)
	first := rows[0].(map[string]any)
	if len(rows) != 2 || first["subnet"] != "10.77.0.0/24" {
		t.Errorf("the rows are not sorted: %s", got)
	}
	for _, field := range []string{"subnet_id", "option"} {
		if _, there := first[field]; there {
			t.Errorf("26.1.4 has %s", field)
		}
	}
	if status, got := call(t, f, "GET", "api/kea/dhcpv4/searchOption", ""); status != http.StatusNotFound {
		t.Errorf("options in 26.1.4: %d %s", status, got)
	}
}

// Every stage of Kea's own switch, and what is said of it.
func TestKeaService(t *testing.T) {
	f := keaSite(t, Options{})
	state := func() string {
		t.Helper()
		_, text := call(t, f, "GET", "api/kea/service/status", "")
		return decode(t, text).(map[string]any)["status"].(string)
	}
	post := func(path, body, want string) {
		t.Helper()
		if _, got := call(t, f, "POST", "api/kea/"+path, body); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	post("dhcpv4/set", `{"dhcpv4":{"general":{"enabled":true,"interfaces":"lan,opt1"}}}`, `{"result":"saved"}`)
	if k := f.Config().Kea; !k.Enabled || k.Manual || len(k.Interfaces) != 2 || state() != "stopped" {
		t.Errorf("%+v, %s", k, state())
	}
	post("service/reconfigure", "{}", `{"status":"ok"}`)
	if state() != "running" || f.KeaLoads() != 1 || !f.KeaRunning() {
		t.Errorf("%s after %d loads", state(), f.KeaLoads())
	}
	post("service/stop", "{}", `{"response":"OK"}`)
	if s := state(); s != "stopped" {
		t.Errorf("stopped, and %s", s)
	}
	post("service/start", "{}", `{"response":"OK"}`)
	post("service/start", "{}", `{"response":"OK"}`)
	if state() != "running" || f.KeaLoads() != 2 {
		t.Errorf("%s after %d loads", state(), f.KeaLoads())
	}
	f.Stop()
	if s := state(); s != "stopped" {
		t.Errorf("crashed, and %s", s)
	}
	// An option that a subnet refers to can be deleted (read in the source, not recorded). From then on the subnet cannot
	// be set.
	const option, subnet = "44444444-4444-4444-8444-444444444444", "55555555-5555-4555-8555-555555555555"
	post("dhcpv4/setOption/"+option, `{"option":{"code":67,"encoding":"string","data":"a","description":"d"}}`,
		`{"result":"saved"}`)
	post("dhcpv4/setSubnet/"+subnet, `{"subnet4":{"subnet":"10.77.0.0/24","subnet_id":"9","option":"`+option+`"}}`,
		`{"result":"saved"}`)
	post("dhcpv4/delOption/"+option, "{}", `{"result":"deleted"}`)
	post("dhcpv4/setSubnet/"+subnet, `{"subnet4":{"option_data":{"boot_file_name":"b"}}}`,
		`{"result":"failed","validations":{"subnet4.option":"Option [`+option+`] not in list."}}`)
	post("dhcpv4/setSubnet/66666666-6666-4666-8666-666666666666", `{"subnet4":{"subnet":"10.77.0.0"}}`,
		`{"result":"failed","validations":{"subnet4.subnet":"Please specify a valid network segment or IP address.",`+
			`"subnet4.subnet_id":"A value is required."}}`)
}
