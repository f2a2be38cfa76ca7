package main

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// folders are all that are in the image. Those of the program's data are its user's, and so is a volume that is made
// from them.
var folders = []tar.Header{
	{Name: "etc/", Mode: 0o755}, {Name: "etc/pxeagent/", Mode: 0o755},
	{Name: "etc/ssl/", Mode: 0o755}, {Name: "etc/ssl/certs/", Mode: 0o755},
	{Name: "run/", Mode: 0o755}, {Name: "run/secrets/", Mode: 0o755},
	{Name: "tmp/", Mode: 0o1777},
	{Name: "usr/", Mode: 0o755}, {Name: "usr/bin/", Mode: 0o755}, {Name: "usr/share/", Mode: 0o755},
	{Name: "usr/share/doc/", Mode: 0o755}, {Name: "usr/share/doc/pxeagent/", Mode: 0o755},
	{Name: "var/", Mode: 0o755}, {Name: "var/lib/", Mode: 0o755},
	{Name: "var/lib/pxeagent/", Mode: 0o755, Uid: uid, Gid: uid},
	{Name: "var/lib/pxeagent/http/", Mode: 0o755, Uid: uid, Gid: uid},
	{Name: "var/lib/pxeagent/state/", Mode: 0o755, Uid: uid, Gid: uid},
	{Name: "var/lib/pxeagent/tftp/", Mode: 0o755, Uid: uid, Gid: uid},
}

// layer is a tar with all that is in the image.
func (r release) layer(program string) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	add := func(h tar.Header, content []byte) error {
		h.Size, h.ModTime, h.Format = int64(len(content)), r.date, tar.FormatPAX
		if err := t.WriteHeader(&h); err != nil {
			return err
		}
		_, err := t.Write(content)
		return err
	}
	for _, h := range folders {
		h.Typeflag = tar.TypeDir
		if err := add(h, nil); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct{ name, text string }{
		{"etc/group", fmt.Sprintf("root:x:0:\npxeagent:x:%d:\n", uid)},
		{"etc/passwd", fmt.Sprintf("root:x:0:0::/:\npxeagent:x:%[1]d:%[1]d::/var/lib/pxeagent:\n", uid)},
		{"etc/ssl/certs/ca-certificates.crt", certificates()},
	} {
		if err := add(tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644}, []byte(f.text)); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		header tar.Header
		from   string
	}{
		{tar.Header{Name: "usr/share/doc/pxeagent/LICENSE", Mode: 0o644}, filepath.Join(r.source, "LICENSE")},
		{tar.Header{Name: "usr/share/doc/pxeagent/NOTICE", Mode: 0o644}, filepath.Join(r.source, "NOTICE")},
		{tar.Header{Name: "usr/bin/pxeagent", Mode: 0o755, PAXRecords: map[string]string{
			"SCHILY.xattr.security.capability": string(capabilities(netBindService, netRaw)),
		}}, program},
	} {
		content, err := os.ReadFile(f.from)
		if err != nil {
			return nil, err
		}
		f.header.Typeflag = tar.TypeReg
		if err := add(f.header, content); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Capabilities of Linux (capabilities(7)), by their numbers in linux/capability.h.
const (
	netBindService = 10 // ports 69 and 80
	netRaw         = 13 // the probe's raw socket
)

// capabilities is the extended attribute security.capability of a file whose process has those, permitted and
// effective, whoever starts it: struct vfs_cap_data of linux/capability.h in its revision 2.
func capabilities(caps ...uint) []byte {
	const revision2, effective = 0x02000000, 0x000001
	var permitted uint64
	for _, c := range caps {
		permitted |= 1 << c
	}
	b := binary.LittleEndian.AppendUint32(nil, revision2|effective)
	for _, half := range []uint32{uint32(permitted), uint32(permitted >> 32)} {
		b = binary.LittleEndian.AppendUint32(b, half)
		b = binary.LittleEndian.AppendUint32(b, 0) // inheritable
	}
	return b
}

// certificates are Mozilla's root certificates in PEM, but for those that are trusted under conditions which no file
// can tell.
func certificates() string {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes all
		}
	}
	return b.String()
}
