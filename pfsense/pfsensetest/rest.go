package pfsensetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const restRoot = "/api/v2/"

// envelope is round every answer of the REST package.
type envelope struct {
	Code     int    `json:"code"`
	Status   string `json:"status"`
	Response string `json:"response_id"`
	Message  string `json:"message"`
	Data     any    `json:"data"`
}

// routes are the supported endpoints. Those of the package's other models are not: their writes destroy settings, and
// pxeagent does not use them. They answer like unknown paths.
var routes = map[string]func(*visit, User){
	"GET /api/v2/system/version":                       (*visit).systemVersion,
	"GET /api/v2/interfaces":                           (*visit).listInterfaces,
	"GET /api/v2/interface":                            (*visit).oneInterface,
	"GET /api/v2/diagnostics/config_history/revisions": (*visit).listRevisions,
	"POST /api/v2/auth/jwt":                            (*visit).makeToken,
	"POST /api/v2/diagnostics/command_prompt":          (*visit).commandPrompt,
}

// rest answers as the REST package does: is it enabled, who asks, what may they do.
func (v *visit) rest() {
	route := v.r.Method + " " + v.r.URL.Path
	serve, known := routes[route]
	if !known || v.fault.Kind == NoPackage {
		v.page()
		return
	}
	v.w.Header().Set("Content-Type", "application/json")
	if v.fault.Kind == Disabled {
		v.w.Header().Set("Retry-After", "5")
		v.fail(http.StatusServiceUnavailable, "ENDPOINT_REST_API_IS_NOT_ENABLED", "The REST API is currently not enabled.")
		return
	}
	if v.fault.Kind == NotAllowed {
		v.fail(http.StatusForbidden, "ENDPOINT_CLIENT_NOT_ALLOWED_BY_ACL",
			"The requested action is not allowed by admin policy")
		return
	}
	user, ok := v.restUser(v.r)
	if !ok || v.fault.Kind == Unauthorized {
		v.refuse()
		if _, _, basic := v.r.BasicAuth(); basic {
			v.w.Header().Set("WWW-Authenticate", `Basic realm="Login for pfSense REST API"`)
		}
		v.fail(http.StatusUnauthorized, "AUTH_AUTHENTICATION_FAILED", "Authentication failed.")
		return
	}
	if accept := strings.Join(v.r.Header.Values("Accept"), ", "); accept != "" && accept != "*/*" &&
		accept != "application/json" {
		v.fail(http.StatusNotAcceptable, "CONTENT_HANDLER_ENCODE_NOT_FOUND",
			fmt.Sprintf("No content handler exists for `%s`. Change the value of your `Accept` header to a valid option and "+
				"try again.", accept))
		return
	}
	if v.fault.Kind == ReadOnly && v.r.Method != http.MethodGet {
		v.fail(http.StatusMethodNotAllowed, "ENDPOINT_METHOD_NOT_ALLOWED_IN_READ_ONLY_MODE",
			fmt.Sprintf("Resource at %s cannot support the requested "+
				"HTTP method `%s` because the REST API is currently in read-only mode.", v.r.URL.Path, v.r.Method))
		return
	}
	if !user.may(privilegeOf(v.r)) || v.fault.Kind == NoPrivilege {
		v.fail(http.StatusForbidden, "AUTH_AUTHORIZATION_FAILED",
			"Authorization failed. You do not have sufficient privileges to access this resource.")
		return
	}
	serve(v, user)
}

// privilegeOf is the package's name of the privilege for r: its path and method, with dashes.
func privilegeOf(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/")
	return strings.NewReplacer("/", "-", "_", "-").Replace(path) + "-" + strings.ToLower(r.Method)
}

var statusTexts = map[int]string{
	http.StatusOK: "ok", http.StatusBadRequest: "bad request", http.StatusUnauthorized: "unauthorized",
	http.StatusForbidden: "forbidden",
	http.StatusNotFound:  "not found", http.StatusMethodNotAllowed: "method not allowed",
	http.StatusNotAcceptable:      "not acceptable",
	http.StatusServiceUnavailable: "service unavailable",
}

func (v *visit) fail(status int, id, message string) {
	v.w.WriteHeader(status)
	fmt.Fprintln(v.w, phpJSON(envelope{status, statusTexts[status], id, message, []string{}}))
}

func (v *visit) succeed(data any) {
	fmt.Fprintln(v.w, phpJSON(envelope{http.StatusOK, statusTexts[http.StatusOK], "SUCCESS", "", data}))
}

func (v *visit) systemVersion(User) {
	base, _, _ := strings.Cut(v.opts.Release, "-")
	v.succeed(struct {
		Version string  `json:"version"`
		Base    string  `json:"base"`
		Patch   *string `json:"patch"`
		Built   *string `json:"buildtime"`
	}{Version: v.opts.Release, Base: base})
}

func (v *visit) makeToken(u User) {
	v.succeed(map[string]string{"token": v.token(u)})
}

func (v *visit) listRevisions(User) {
	type revision struct {
		ID          int    `json:"id"`
		Time        int64  `json:"time"`
		Description string `json:"description"`
		Version     string `json:"version"`
		Size        int    `json:"filesize"`
	}
	list := []revision{}
	for i, r := range v.History() {
		list = append(list, revision{ID: i, Time: r.Time.Unix(), Description: r.Message, Version: r.Version})
	}
	v.succeed(list)
}

// listInterfaces supports one condition, compared case-sensitively.
func (v *visit) listInterfaces(User) {
	saved, query := v.Saved(), v.r.URL.Query()
	list := []json.RawMessage{}
	for _, id := range saved.interfaceIDs() {
		at := saved.Under("interfaces/" + id)
		fits := true
		for name := range query {
			text, _ := at.Text(name)
			fits = fits && text == query.Get(name)
		}
		if fits {
			list = append(list, interfaceJSON(id, at))
		}
	}
	v.succeed(list)
}

func (v *visit) oneInterface(User) {
	id := v.r.URL.Query().Get("id")
	at := v.Saved().Under("interfaces/" + id)
	switch {
	case id == "":
		v.fail(http.StatusBadRequest, "MODEL_REQUIRES_ID", "Field `id` is required.")
	case at == nil:
		v.fail(http.StatusNotFound, "MODEL_OBJECT_NOT_FOUND", fmt.Sprintf("Object with ID `%s` does not exist.", id))
	default:
		v.succeed(interfaceJSON(id, at))
	}
}

// interfaceJSON is an interface as the package encodes it, with its fields in the package's order.
func interfaceJSON(id string, at Tree) json.RawMessage {
	var b strings.Builder
	add := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		b.WriteString(map[bool]string{true: "{", false: ","}[b.Len() == 0] + strconv.Quote(name) + ":" + string(text))
	}
	text := func(name string) string { t, _ := at.Text(name); return t }
	_, enabled := at.Text("enable")
	add("id", id)
	add("if", text("if"))
	add("enable", enabled)
	add("descr", text("descr"))
	add("spoofmac", text("spoofmac"))
	for _, name := range []string{"mtu", "mss", "media", "mediaopt"} {
		add(name, nil)
	}
	add("blockpriv", false)
	add("blockbogons", false)
	kind := "static"
	if text("ipaddr") == "dhcp" {
		kind = "dhcp"
	}
	add("typev4", kind)
	add("ipaddr", text("ipaddr"))
	if bits, err := strconv.Atoi(text("subnet")); err == nil {
		add("subnet", bits)
	} else {
		add("subnet", nil)
	}
	for _, name := range strings.Fields(
		`gateway dhcphostname alias_address alias_subnet dhcprejectfrom adv_dhcp_config_advanced adv_dhcp_pt_values
		adv_dhcp_pt_timeout adv_dhcp_pt_retry adv_dhcp_pt_select_timeout adv_dhcp_pt_reboot adv_dhcp_pt_backoff_cutoff adv_dhcp_pt_initial_interval
		adv_dhcp_send_options adv_dhcp_request_options adv_dhcp_required_options adv_dhcp_option_modifiers adv_dhcp_config_file_override
		adv_dhcp_config_file_override_path`) {
		add(name, nil)
	}
	add("typev6", "none")
	for _, name := range strings.Fields(
		`ipaddrv6 subnetv6 gatewayv6 ipv6usev4iface slaacusev4iface prefix_6rd gateway_6rd prefix_6rd_v4plen
		track6_interface track6_prefix_id_hex`) {
		add(name, nil)
	}
	b.WriteString("}")
	return json.RawMessage(b.String())
}
