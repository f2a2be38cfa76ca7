package opnsensetest

import "net/http"

// ServeHTTP answers as the web server.
func (f *Firewall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}

func (f *Firewall) dnsmasqConf() string { return "" }
func (f *Firewall) keaConf() []byte     { return nil }
