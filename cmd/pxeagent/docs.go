//go:build docs

// With the tag docs the program writes the man pages and completions of its commands in place of running them:
//
//	go run -tags docs ./cmd/pxeagent FOLDER
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "want one argument, the folder to write to")
		os.Exit(1)
	}
	if err := writeDocs(newRootCmd(newApp(io.Discard, io.Discard)), os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "writing man pages and completions: %v\n", err)
		os.Exit(1)
	}
}

// writeDocs writes man/*.1 and completions/pxeagent.{bash,zsh,fish}. The pages bear the date SOURCE_DATE_EPOCH, so that
// the same sources make the same pages.
func writeDocs(root *cobra.Command, dir string) error {
	epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	date := time.Unix(epoch, 0).UTC()
	man, completions := filepath.Join(dir, "man"), filepath.Join(dir, "completions")
	for _, d := range []string{man, completions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: root.Name(), Manual: "Network boot"}
	if err := doc.GenManTree(root, header, man); err != nil {
		return err
	}
	for shell, write := range map[string]func(string) error{
		"bash": func(path string) error { return root.GenBashCompletionFileV2(path, true) },
		"zsh":  root.GenZshCompletionFile,
		"fish": func(path string) error { return root.GenFishCompletionFile(path, true) },
	} {
		if err := write(filepath.Join(completions, "pxeagent."+shell)); err != nil {
			return err
		}
	}
	return nil
}
