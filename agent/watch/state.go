package watch

import (
	"net/netip"
	"time"
)

// Result is what a network's last check found. The set is closed.
type Result string

const (
	NotChecked Result = ""         // the first check is not over
	Agrees     Result = "ok"       // all is as it should be
	Disagrees  Result = "wrong"    // an offer, or a step after it
	NoOffer    Result = "no_offer" // nobody answers
	CheckError Result = "error"    // it could not be asked: State.Error
)

// State is what is known of a network that is made bootable. It is a value that nobody changes.
type State struct {
	Name       string     `json:"name"`    // at the DHCP server
	Watched    bool       `json:"watched"` // its DHCP server is asked; else only what comes after the offer is checked
	NextServer netip.Addr `json:"next_server"`
	Script     string     `json:"script"` // the URL where all machines end up
	Every      float64    `json:"every_seconds"`
	Checking   bool       `json:"checking"` // a check is under way
	Checked    time.Time  `json:"checked,omitzero"`
	Took       float64    `json:"took_seconds"`
	Result     Result     `json:"result"`
	Error      string     `json:"error,omitempty"`
	Foreign    []string   `json:"foreign,omitempty"` // what other DHCP servers say, one sentence each. Hostile
	Clients    []Client   `json:"clients"`
}

// Steps of a machine's boot path, and labels of the metric pxeagent_check_ok.
const (
	StepOffer  = "offer"
	StepNBP    = "nbp"
	StepScript = "script"
	StepFiles  = "files"
)

// StepNames lists them in the order of the boot path.
func StepNames() []string { return []string{StepOffer, StepNBP, StepScript, StepFiles} }

// Client is one kind of machine on a network, and how far it gets.
type Client struct {
	Name  string          `json:"name"`  // "bios", "efi64", …
	Want  string          `json:"want"`  // what it should be offered
	State map[string]Mark `json:"state"` // by step; none: it has no such step
	// Reason is why its offers lead it where they do, and Doubt why others of its kind may go elsewhere: one sentence
	// each, of right answers too. Hostile.
	Reason string   `json:"reason,omitempty"`
	Doubt  string   `json:"doubt,omitempty"`
	Wrong  []string `json:"wrong,omitempty"`
	Steps  []Step   `json:"steps"`
	More   int      `json:"more,omitempty"` // steps that are not in Steps; all of them were found
	As     string   `json:"as,omitempty"`   // the client whose steps go on where these end
}

// Mark is what is known of a step. The set is closed.
type Mark string

const (
	Good    Mark = "ok"
	Bad     Mark = "wrong"
	Unknown Mark = "unknown" // not reached, or not asked
)

// Step is one thing that was asked for. Its texts are hostile.
type Step struct {
	Name  string  `json:"step"`  // one of StepNames
	Stage string  `json:"stage"` // "offer", "nbp", "script", "kernel", "image"
	What  string  `json:"what"`
	OK    bool    `json:"ok"`
	Text  string  `json:"text,omitempty"`
	Bytes int64   `json:"bytes"` // -1: not known
	Took  float64 `json:"took_seconds"`
}
