package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/tftp"
)

// process is a server that runs.
type process struct{ cmd *exec.Cmd }

// command is how a server is started in the foreground.
func command(name, dir string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	switch name {
	case "pxeagent":
		return exec.Command(self, "-serve", dir), nil
	case "pxeagent-single":
		return exec.Command(self, "-single", "-serve", dir), nil
	case "dnsmasq":
		return exec.Command(
			"dnsmasq",
			"--keep-in-foreground",
			"--conf-file=/dev/null",
			"--port=0",
			"--user=root",
			"--enable-tftp",
			"--tftp-root="+dir,
			"--tftp-max=1000",
			"--log-facility=/dev/null",
			"--pid-file=",
		), nil
	case "atftpd":
		return exec.Command(
			"atftpd",
			"--daemon",
			"--no-fork",
			"--user",
			"root",
			"--bind-address",
			"127.0.0.1",
			"--verbose=1",
			dir,
		), nil
	case "tftpd-hpa":
		return exec.Command(
			"in.tftpd",
			"--foreground",
			"--listen",
			"--user",
			"root",
			"--address",
			"127.0.0.1:69",
			"--secure",
			dir,
		), nil
	}
	return nil, fmt.Errorf("no server %q", name)
}

// start starts a server and waits until it answers.
func start(name, dir string) (*process, error) {
	cmd, err := command(name, dir)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd}
	for range 100 {
		if answers() {
			return p, nil
		}
	}
	p.stop()
	return nil, errors.New("does not answer")
}

// answers asks for the size of a file, for 50 ms.
func answers() bool {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: client.AsSlice()})
	if err != nil {
		return false
	}
	defer conn.Close()
	began := time.Now()
	_ = conn.SetReadDeadline(began.Add(50 * time.Millisecond))
	_, _ = conn.WriteToUDPAddrPort([]byte("\x00\x01nbp\x00octet\x00tsize\x000\x00"), server)
	b := make([]byte, 600)
	_, from, err := conn.ReadFromUDPAddrPort(b)
	if err != nil {
		time.Sleep(time.Until(began.Add(50 * time.Millisecond))) // the port is closed and said so at once
		return false
	}
	_, _ = conn.WriteToUDPAddrPort([]byte("\x00\x05\x00\x00size only\x00"), from)
	return true
}

// stop ends the server and returns the processor time that it and its children used.
func (p *process) stop() time.Duration {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// folder opens the files of one folder.
type folder struct{ root *os.Root }

func (f folder) Open(a boot.Ask) (*tftp.File, error) {
	file, err := f.root.Open(a.Name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &tftp.File{ReaderAt: file, Size: info.Size(), Artifact: boot.NBP, Close: file.Close}, nil
}

// serveFolder is the pxeagent server alone.
func serveFolder(dir string, single bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	l, err := tftp.Listen(netip.AddrPortFrom(netip.IPv4Unspecified(), server.Port()))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return tftp.New(tftp.Config{Opener: folder{root}, SinglePort: single}).Serve(ctx, l)
}
