package web

import (
	"time"

	"pxeagent/agent/watch"
)

// Status is what the page shows beside boots: what is configured, and whether the offers match it. It has no secrets,
// and its maker bounds its size: see MaxStatus. It is not changed after it was made.
type Status struct {
	At       time.Time     `json:"at"`
	Agent    Running       `json:"agent"`
	Settings []Setting     `json:"settings"` // of the configuration, those that say how machines are served
	Networks []watch.State `json:"networks"`
	Images   []Image       `json:"images"`
	Menu     Menu          `json:"menu"`
	Machines []Machine     `json:"machines"` // of the configuration, and those that are to boot something once
	Events   []Event       `json:"events"`   // the newest first
	Config   Reload        `json:"config"`
	Actions  bool          `json:"actions"` // a token is set, so that the page can do something
}

// MaxStatus is more than a Status has as JSON, in bytes.
const MaxStatus = 2 << 20

// Running is the agent itself.
type Running struct {
	Host    string    `json:"host"` // this machine's name
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	TFTP    string    `json:"tftp"`
	HTTP    string    `json:"http"`
}

// Setting is a key of the configuration, to be shown.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"` // "default", "/etc/pxeagent/pxeagent.yaml:4", …
}

// Image is a bootable system on disk.
type Image struct {
	Key      string    `json:"key"`
	Title    string    `json:"title"`
	Recipe   string    `json:"recipe,omitempty"` // "": placed by hand
	Version  string    `json:"version,omitempty"`
	Bytes    int64     `json:"bytes"`
	Added    time.Time `json:"added,omitzero"`
	Verified time.Time `json:"verified,omitzero"` // when its files were last found to be those that were fetched
	Error    string    `json:"error,omitempty"`   // of the last verification
}

// Menu is what all machines may choose from; what one is shown is asked for at /api/v1/menu.
type Menu struct {
	OK    bool       `json:"ok"`
	Error string     `json:"error,omitempty"` // why the menu that is configured is not the one that is served
	Items []MenuItem `json:"items"`
}

// MenuItem is something that can be chosen.
type MenuItem struct {
	Key      string `json:"key"`
	Title    string `json:"title"`
	Group    string `json:"group,omitempty"` // the heading that it stands under
	Why      string `json:"why,omitempty"`   // why it is not shown, or not to every machine
	Shown    bool   `json:"shown"`
	Installs bool   `json:"installs,omitempty"` // left alone it overwrites the machine's disk
}

// Machine is one that the configuration names, or that is to boot something once.
type Machine struct {
	MAC     string    `json:"mac"`
	Name    string    `json:"name,omitempty"`
	Profile string    `json:"profile,omitempty"`
	Once    string    `json:"once,omitempty"` // the menu item that it boots next time
	Since   time.Time `json:"since,omitzero"`
}

// Reload is what came of the last change to the configuration.
type Reload struct {
	OK    bool      `json:"ok"`
	At    time.Time `json:"at,omitzero"`
	Error string    `json:"error,omitempty"` // the last good configuration is kept
}

// Kind is what an Event is about. The set is closed.
type Kind string

const (
	Started  Kind = "start"
	Changed  Kind = "config"  // the configuration was changed, or could not be
	Looped   Kind = "loop"    // a machine loads its NBP again and again
	Foreign  Kind = "foreign" // another DHCP server
	Checked  Kind = "check"   // a check found something else than the one before
	Finished Kind = "boot"    // a boot ended
	Acted    Kind = "action"  // somebody with the token did something
)

// Event is something that happened. Its text is hostile.
type Event struct {
	ID   uint64    `json:"id"`
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	Bad  bool      `json:"bad,omitempty"` // somebody should look
	Text string    `json:"text"`
	Boot string    `json:"boot,omitempty"` // the ID of the boot that it is about
}
