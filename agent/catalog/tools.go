package catalog

// Keys of items that are always there.
const (
	Local    = "local" // the machine's own disk
	Reboot   = "reboot"
	Poweroff = "poweroff"
)

// reserved are labels of the menu that do not stand for items.
var reserved = []string{"start", "failed"}

// tools are the items that are always there, behind all others.
var tools = []Item{
	{
		Key:      "shell",
		Title:    "iPXE shell",
		Hot:      "s",
		commands: "echo Type exit to come back to the menu\nshell ||\n" + toMenu,
	},
	{Key: "config", Title: "iPXE settings", Hot: "c", commands: "config ||\n" + toMenu},
	{Key: Reboot, Title: "Reboot", Hot: "r", commands: "reboot ||\n" + toMenu},
	// Network cards' iPXE has no such command.
	{
		Key:   Poweroff,
		Title: "Switch off",
		Hot:   "p",
		commands: "poweroff ||\necho This iPXE cannot switch the machine off\n" +
			"prompt --timeout 5000 Press a key for the menu ||\n" + toMenu,
	},
}

// toMenu goes back to the menu, which then waits for ever: somebody is there.
const toMenu = "set menu-timeout 0\ngoto start"

// LocalPath is where a machine says, by asking for it, that it goes on to its own disk.
const LocalPath = "/ipxe/local"

// localDisk leaves for the machine's own disk. The server is notified first, which may be gone: it has 2 s to
// answer.
//
// Under BIOS leaving iPXE leads to whatever the firmware tries next, perhaps the next network card and this menu
// again: the first disk is started from here. Under EFI iPXE starts no disk, and the firmware goes on to its next
// boot entry only after an error: after success it shows its own menu.
const localDisk = `imgfetch --name local --timeout 2000 ${base}` + LocalPath + `?mac=${netX/mac:hexhyp} ||
imgfree local ||
iseq ${platform} pcbios && sanboot --no-describe --drive 0x80 ||
exit 1`
