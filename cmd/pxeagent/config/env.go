package config

import (
	"regexp"
	"slices"
	"strings"

	"pxeagent/cmd/pxeagent/cli"
)

const envPrefix = "PXEAGENT_"

// Variables that are not keys. The secrets are read by ReadSecret only, and stand in no
// setting; PXEAGENT_REQUIRE_E2E is of the tests.
const (
	EnvConfig     = "PXEAGENT_CONFIG"
	EnvPassword   = "PXEAGENT_DHCP_PFSENSE_PASSWORD"
	EnvAPIKey     = "PXEAGENT_DHCP_PFSENSE_API_KEY"
	envPageToken  = "PXEAGENT_PAGE_TOKEN"
	envRootShadow = "PXEAGENT_MENU_ROOT_SHADOW"
	envWebhook    = "PXEAGENT_WEBHOOK_SECRET"
	envE2E        = "PXEAGENT_REQUIRE_E2E"
)

// Kubernetes sets these in every pod of a namespace that has a service named pxeagent.
var serviceEnv = regexp.MustCompile(`^PXEAGENT_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// checkEnviron finds the variables that look like keys and are none. Their values are not
// shown: they may be secrets.
func checkEnviron(environ []string) Mistakes {
	known := map[string]bool{EnvConfig: true, EnvPassword: true, EnvAPIKey: true, envPageToken: true, envWebhook: true, envRootShadow: true, envE2E: true}
	for _, k := range keys {
		known[k.Env()] = true
	}
	var found Mistakes
	for _, e := range slices.Sorted(slices.Values(environ)) {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, envPrefix) || known[name] || serviceEnv.MatchString(name) {
			continue
		}
		found.add("", Origin{layer: fromEnv, name: name}, "%s", unknownVariable(name))
	}
	return found
}

func unknownVariable(name string) string {
	var rests []string
	for _, k := range keys {
		rests = append(rests, strings.TrimPrefix(k.Env(), envPrefix))
	}
	for _, n := range []string{EnvConfig, EnvPassword, EnvAPIKey, envPageToken, envWebhook, envRootShadow} {
		rests = append(rests, strings.TrimPrefix(n, envPrefix))
	}
	if best := cli.Nearest(strings.TrimPrefix(name, envPrefix), rests); best != "" {
		return "there is no such variable; did you mean " + envPrefix + best + "?"
	}
	return "there is no such variable; `pxeagent config show` lists the keys, and each is a variable"
}
