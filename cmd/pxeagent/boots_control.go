package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pxeagent/agent/boot"
	"pxeagent/agent/recorder"
	"pxeagent/agent/web"
	"pxeagent/cmd/pxeagent/cli"
)

// control is the socket of the one that runs on this machine with the same state_dir.
type control struct {
	socket string
	client *http.Client
}

func newControl(stateDir string) control {
	d := control{socket: filepath.Join(stateDir, recorder.ControlFile)}
	d.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", d.socket)
		},
		ResponseHeaderTimeout: 10 * time.Second,
	}}
	return d
}

// get asks for a path. Whoever gets an answer closes it.
func (d control) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://pxeagent"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	resp, err := d.client.Do(req)
	switch {
	case err == nil && resp.StatusCode == http.StatusOK, err == nil && resp.StatusCode == http.StatusNotFound:
		return resp, nil
	case err == nil:
		resp.Body.Close()
		return nil, fmt.Errorf("asking the daemon: it answered with status %d", resp.StatusCode)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, cli.Failure{Code: cli.NotRunning,
			Err: fmt.Errorf("the daemon is not running: nothing answers at %s", d.socket),
			Hints: []string{"start it: `pxeagent serve`, or systemctl start pxeagent",
				"or name the folder that it uses: state_dir, --state-dir"}}
	case errors.Is(err, fs.ErrPermission):
		return nil, cli.Failure{Code: cli.Permission,
			Err:   fmt.Errorf("%s is closed to this user: %w", d.socket, fs.ErrPermission),
			Hints: []string{"run this as the user that the daemon runs as, or as root"}}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return nil, fmt.Errorf("asking the daemon at %s: %w", d.socket, err)
}

func (d control) boots(ctx context.Context, q url.Values) ([]boot.Boot, error) {
	resp, err := d.get(ctx, web.BootsPath+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct{ Boots []boot.Boot }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return answer.Boots, nil
}

func (d control) boot(ctx context.Context, id string) (boot.Boot, error) {
	resp, err := d.get(ctx, web.BootsPath+"/"+url.PathEscape(id))
	if err != nil {
		return boot.Boot{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return boot.Boot{}, cli.Failure{Code: cli.NoBoot, Err: fmt.Errorf("there is no boot %q, or it is kept no longer", id),
			Hints: []string{"`pxeagent boots --limit 1000` lists them; boots.keep and boots.max_age say how many are kept, " +
				"and how long"}}
	}
	var b boot.Boot
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil {
		return b, fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return b, nil
}

// follow calls begun once changes are told, and changed with each. It returns when the daemon ends, or with their
// error.
func (d control) follow(ctx context.Context, begun func() error, changed func(boot.Boot) error) error {
	resp, err := d.get(ctx, web.EventsPath)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	event, started := "", false
	for {
		line, err := lines.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return cli.Failure{Code: cli.NotRunning, Err: errors.New("the daemon was stopped")}
		case err != nil:
			return fmt.Errorf("following the daemon: %w", err)
		case !started:
			started = true
			if err := begun(); err != nil {
				return err
			}
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case field == "event":
			event = value
		case field == "data" && event == "boot":
			var b boot.Boot
			if err := json.Unmarshal([]byte(value), &b); err != nil {
				return fmt.Errorf("reading the daemon's answer: %w", err)
			}
			if err := changed(b); err != nil {
				return err
			}
		}
	}
}
