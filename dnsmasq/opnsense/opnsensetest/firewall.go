// Package opnsensetest is a stand-in OPNsense firewall for tests and for the demonstration: its configuration in memory,
// the part of its API that pxeagent uses, and what its templates make of it. Its answers are recorded ones.
package opnsensetest
