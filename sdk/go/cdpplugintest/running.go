//go:build !wasip1

package cdpplugintest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// running is a plugin that listens, or will soon.
type running struct {
	// done is closed when it has ended; then err says how.
	done chan struct{}
	err  error
	// stop tells it to end.
	stop func()
}

// end lets it end and returns how it did.
func (r *running) end() error {
	r.stop()
	select {
	case <-r.done:
		return r.err
	case <-time.After(bound):
		return fmt.Errorf("it did not end within %s", bound)
	}
}

// inProcess serves the plugin in the process of the test.
func inProcess(serve ServeFunc, socket string) *running {
	ctx, cancel := context.WithCancel(context.Background())
	ran := &running{done: make(chan struct{}), stop: cancel}
	go func() {
		defer close(ran.done)
		ran.err = serve(cdpplugin.WithSocket(socket), cdpplugin.WithContext(ctx))
	}()
	return ran
}

// asProcess builds the program in folder and starts it as a host does.
func asProcess(t testing.TB, folder, socket string) (*running, error) {
	program := filepath.Join(t.TempDir(), "plugin")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".")
	build.Dir = folder
	if told, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("`go build` in %s: %w\n%s", folder, err, told)
	}
	command := exec.Command(program)
	command.Dir = folder
	command.Env = append(hostEnvironment(), "PLUGIN_MODE=grpc", "PLUGIN_PROTOCOL=1-1", "PLUGIN_SOCKET="+socket, "TMPDIR="+t.TempDir())
	var log bytes.Buffer
	command.Stdout, command.Stderr = &log, &log
	lifeline, err := command.StdinPipe() // held open: its end tells the plugin that the host is gone
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	ran := &running{done: make(chan struct{}), stop: func() { _ = command.Process.Signal(syscall.SIGTERM) }}
	go func() {
		defer close(ran.done)
		ran.err = command.Wait()
		lifeline.Close()
		if ran.err != nil {
			ran.err = fmt.Errorf("%w, its log:\n%s", ran.err, log.String())
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // one that has ended is not hurt
		<-ran.done
		if log.Len() > 0 {
			t.Logf("the plugin's log:\n%s", log.String())
		}
	})
	return ran, nil
}

// hostEnvironment is what a host passes on of its own environment.
func hostEnvironment() []string {
	var kept []string
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if value, set := os.LookupEnv(name); set {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// socketBytes is the longest path that a Unix socket may have everywhere.
const socketBytes = 100

// socketPath returns the path of a socket in a folder that is removed with the test: its own folder,
// unless the name of the test makes that one too long.
func socketPath(t testing.TB) (string, error) {
	if path := filepath.Join(t.TempDir(), "plugin.sock"); len(path) <= socketBytes {
		return path, nil
	}
	folder, err := os.MkdirTemp("", "cdp")
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "plugin.sock"), nil
}

// dial connects to a socket once somebody listens there.
func dial(socket string) (*grpc.ClientConn, error) {
	const largest = 256 << 20
	return grpc.NewClient("unix:"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: impatient, MinConnectTimeout: bound}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest), grpc.MaxCallSendMsgSize(largest)))
}
