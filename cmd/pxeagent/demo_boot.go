package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/catalog"
	"pxeagent/agent/ipxe"
	"pxeagent/agent/watch"
)

// demoMachine is a UEFI machine that boots by HTTP, as the demo plays it.
var demoMachine = url.Values{
	"mac": {"52:54:00:00:14:14"}, "platform": {"efi"}, "buildarch": {"x86_64"}, "manufacturer": {"Demo"},
	"product": {"Machine 14"},
}

// boot plays a machine that goes the whole boot path and on to its own disk, which is the menu's default, and shows
// what the agent saw of it.
func (d *demonstration) boot(ctx context.Context) error {
	told := demoMachine.Encode()
	for _, ask := range []struct{ who, path, query string }{
		{"UefiHttpBoot/1.0", "/" + ipxe.EFI64, ""},
		{"iPXE/1.21.1", "/" + ipxe.EFI64, ""}, // the loop, which is broken here
		{"iPXE/1.21.1", watch.ScriptURL(d.place.Base).Path, told},
		{"iPXE/1.21.1", catalog.LocalPath, told},
	} {
		if err := d.fetch(ctx, ask.who, ask.path, ask.query); err != nil {
			return fmt.Errorf("a machine that boots: %w", err)
		}
	}
	b, err := d.booted(ctx)
	if err != nil {
		return err
	}
	var stages []string
	for _, s := range b.Stages {
		stages = append(stages, fmt.Sprintf("%s %d bytes", s.Stage, s.Bytes))
	}
	d.say("boot", "%s, %s: %s: %s in %v", b.MAC, b.Firmware, strings.Join(stages, ", "), b.Result,
		b.Ended.Sub(b.Started).Round(time.Millisecond))
	return nil
}

// fetch asks for a file as that program does, and takes all of it.
func (d *demonstration) fetch(ctx context.Context, who, path, query string) error {
	at := d.place.Base.JoinPath(path)
	at.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", who)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// booted waits until the boot has ended, and returns it.
func (d *demonstration) booted(ctx context.Context) (boot.Boot, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	at := d.place.Base.JoinPath("api/v1/boots")
	at.RawQuery = url.Values{"mac": demoMachine["mac"], "result": {string(boot.LocalDisk)}}.Encode()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return boot.Boot{}, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return boot.Boot{}, fmt.Errorf("waiting for the boot to end: %w", err)
		}
		var answer struct{ Boots []boot.Boot }
		err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer)
		resp.Body.Close()
		switch {
		case err != nil:
			return boot.Boot{}, fmt.Errorf("reading the list of boots: %w", err)
		case len(answer.Boots) > 0:
			return answer.Boots[0], nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return boot.Boot{}, errors.New("the agent saw no boot of the machine that booted")
		}
	}
}
