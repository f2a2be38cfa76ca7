package pfsensetest

// Default is the configuration of the recordings: WAN; LAN, 192.168.1.1/24; ADMIN (opt1, igb2), 10.99.0.1/24, whose
// DHCP settings were once saved in the web interface, with a second pool and two static mappings. Network boot is
// disabled everywhere.
func Default() Tree {
	return Tree{
		"version":     "24.5",
		"dhcpbackend": "isc",
		"interfaces": Tree{
			"wan":  Tree{"enable": "", "if": "igb0", "descr": "WAN", "ipaddr": "dhcp", "spoofmac": ""},
			"lan":  Tree{"enable": "", "if": "igb1", "descr": "LAN", "ipaddr": "192.168.1.1", "subnet": "24", "spoofmac": ""},
			"opt1": Tree{"enable": "", "if": "igb2", "descr": "ADMIN", "ipaddr": "10.99.0.1", "subnet": "24", "spoofmac": ""},
		},
		"dhcpd": Tree{
			"lan": Tree{"range": Tree{"from": "192.168.1.100", "to": "192.168.1.199"}, "enable": ""},
			"opt1": Tree{
				"enable": "", "range": Tree{"from": "10.99.0.100", "to": "10.99.0.149"},
				"failover_peerip": "", "defaultleasetime": "", "maxleasetime": "", "netmask": "", "gateway": "", "domain": "",
				"domainsearchlist": "",
				"ddnsdomain":       "", "mac_allow": "", "mac_deny": "", "tftp": "", "ldap": "", "nextserver": "", "filename": "",
				"filename32": "",
				"filename64": "", "filename32arm": "", "filename64arm": "", "uefihttpboot": "", "rootpath": "", "numberoptions": "",
				"pool": []Tree{{
					"descr": "extra pool", "range": Tree{"from": "10.99.0.160", "to": "10.99.0.169"}, "defaultleasetime": "",
					"maxleasetime": "",
					"gateway":      "", "domain": "", "domainsearchlist": "", "mac_allow": "", "mac_deny": "", "numberoptions": "",
				}},
				"staticmap": []Tree{
					{
						"mac": "02:00:00:00:aa:01", "cid": "", "ipaddr": "10.99.0.11", "hostname": "node-a",
						"descr": "plain static map", "filename": "",
						"rootpath": "", "defaultleasetime": "", "maxleasetime": "", "gateway": "", "domain": "", "domainsearchlist": "",
						"ddnsdomain": "",
						"tftp":       "", "ldap": "", "nextserver": "", "filename32": "", "filename64": "", "filename32arm": "",
						"filename64arm": "",
						"uefihttpboot":  "", "numberoptions": "",
					},
					{
						"mac": "02:00:00:00:aa:02", "cid": "", "ipaddr": "10.99.0.12", "hostname": "node-b",
						"descr": "another static map", "filename": "",
						"rootpath": "",
					},
				},
			},
		},
	}
}
