package cdpplugin

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

const terminate = syscall.SIGTERM

func echo(_ context.Context, message Message) (Message, error) { return message, nil }

// GetMetadata says who the plugin is, the protocol and only features that it has.
func TestMetadata(t *testing.T) {
	metadata := PluginMetadata{
		Name: "rich", Version: "1.2.3", Description: "d", Author: "a", License: "MIT",
		InputTypes: []string{"A"}, OutputTypes: []string{"B"}, ConfigSchema: json.RawMessage(`{"type":"object"}`),
		OutputSchema: map[string]json.RawMessage{"B": json.RawMessage(`{}`)}, InputEncoding: EncodingSEP51,
		Stateful: true, Resources: ResourceRequirements{MinMemoryMB: 1, MaxMemoryMB: 2, CPUShares: 3, GPURequired: true},
	}
	plugin := serveOn(t, func(options ...Option) error { return ServeProcessor(metadata, echo, options...) }, nil)
	got, err := plugin.GetMetadata(testContext(t), &pb.MetadataRequest{ProtocolMin: 1, ProtocolMax: 3})
	if err != nil {
		t.Fatal(err)
	}
	sameProto(t, &pb.MetadataResponse{
		Name: "rich", Version: "1.2.3", Type: "processor", Description: "d", Author: "a", License: "MIT",
		InputTypes: []string{"A"}, OutputTypes: []string{"B"}, ConfigSchema: []byte(`{"type":"object"}`),
		OutputSchema: map[string][]byte{"B": []byte(`{}`)}, InputEncoding: "sep51", Stateful: true,
		Resources: &pb.ResourceRequirements{MinMemoryMb: 1, MaxMemoryMb: 2, CpuShares: 3, GpuRequired: true},
		Protocol:  1, Sdk: "go/" + Version,
		Features: []pb.Feature{
			pb.Feature_FEATURE_CONFIGURE, pb.Feature_FEATURE_LIFECYCLE, pb.Feature_FEATURE_HEALTH,
			pb.Feature_FEATURE_PROCESS_BATCH, pb.Feature_FEATURE_STREAM,
		},
	}, got)
}

// A plugin on TCP refuses calls without its token, the health service excepted, and says so.
func TestToken(t *testing.T) {
	environment := map[string]string{"PLUGIN_PORT": freePort(t), "PLUGIN_TOKEN": "secret", "PLUGIN_SOCKET": ""}
	plugin := serveOn(t, func(options ...Option) error { return ServeProcessor(echoMetadata, echo, options...) }, environment)
	ctx := testContext(t)
	for name, call := range map[string]context.Context{"none": ctx, "wrong": withToken(ctx, "other")} {
		if _, err := plugin.GetMetadata(call, &pb.MetadataRequest{}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("token %s: expected Unauthenticated, got %v", name, err)
		}
		stream, err := plugin.Stream(call)
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("token %s: expected Unauthenticated, got %v", name, err)
		}
	}
	got, err := plugin.GetMetadata(withToken(ctx, "secret"), &pb.MetadataRequest{})
	if err != nil || !slices.Contains(got.GetFeatures(), pb.Feature_FEATURE_TOKEN) {
		t.Errorf("expected FEATURE_TOKEN, got %v %v", got.GetFeatures(), err)
	}
}

// A Unix socket is open to this user alone and is gone when the plugin has ended.
func TestSocket(t *testing.T) {
	plugin := serveFunction(t, echo)
	path := os.Getenv("PLUGIN_SOCKET")
	entry, err := os.Stat(path)
	if err != nil || entry.Mode().Perm() != 0o600 {
		t.Errorf("expected mode 600, got %v %v", entry, err)
	}
	plugin.end()
	if err := <-plugin.ended; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("expected no socket, got %v", err)
	}
}

// A dead plugin's socket is taken over; a file, or the socket of a living process, never.
func TestSocketInTheWay(t *testing.T) {
	path := filepath.Join(filepath.Dir(socketPath(t)), "s")
	place := endpoint{network: "unix", address: path}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := place.listen(); err == nil {
		t.Fatal("expected a refusal of a file")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	living, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	living.(*net.UnixListener).SetUnlinkOnClose(false)
	if _, err := place.listen(); err == nil {
		t.Fatal("expected a refusal of a living socket")
	}
	living.Close()
	listener, err := place.listen()
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}

// Where a plugin listens follows from its environment, and never leaves this machine unasked.
func TestEndpoint(t *testing.T) {
	cases := []struct {
		environment map[string]string
		expected    endpoint
		fails       bool
	}{
		{nil, endpoint{network: "tcp", address: "127.0.0.1:50051", maxMessageBytes: defaultMaxMessageBytes}, false},
		{map[string]string{"PLUGIN_PORT": "1234", "PLUGIN_TOKEN": "t"},
			endpoint{network: "tcp", address: "127.0.0.1:1234", token: "t", maxMessageBytes: defaultMaxMessageBytes}, false},
		{map[string]string{"PLUGIN_MODE": "grpc", "PLUGIN_SOCKET": "/s", "PLUGIN_PORT": "1", "PLUGIN_TOKEN": "t", "PLUGIN_MAX_MESSAGE_BYTES": "99"},
			endpoint{network: "unix", address: "/s", maxMessageBytes: 99, launched: true}, false},
		{map[string]string{"PLUGIN_ADDRESS": "0.0.0.0:7", "PLUGIN_PORT": "1"},
			endpoint{network: "tcp", address: "0.0.0.0:7", maxMessageBytes: defaultMaxMessageBytes}, false},
		{map[string]string{"PLUGIN_PORT": "many"}, endpoint{}, true},
		{map[string]string{"PLUGIN_MAX_MESSAGE_BYTES": "-1"}, endpoint{}, true},
	}
	for _, c := range cases {
		got, err := endpointFrom(func(name string) string { return c.environment[name] })
		if c.fails != (err != nil) || !c.fails && c.expected != got {
			t.Errorf("%v: expected %+v, got %+v %v", c.environment, c.expected, got, err)
		}
	}
}

// SIGTERM ends the process with 0, after the call in progress and the plugin's own stop.
func TestTerminate(t *testing.T) {
	plugin := launch(t, "echo")
	if _, err := plugin.Start(testContext(t), &pb.StartRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := plugin.command.Process.Signal(terminate); err != nil {
		t.Fatal(err)
	}
	status, log := plugin.exit(t)
	if status != 0 || !strings.Contains(log, `"message":"stopped"`) {
		t.Errorf("expected exit status 0 and a stop, got %d: %s", status, log)
	}
}

// A launched plugin ends when its standard input does: then its host is gone.
func TestLifeline(t *testing.T) {
	plugin := launch(t, "echo")
	plugin.stdin.Close()
	if status, log := plugin.exit(t); status != 0 {
		t.Errorf("expected exit status 0, got %d: %s", status, log)
	}
}

// A call in progress is finished before the plugin ends, and its answer arrives.
func TestFinishesCalls(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	plugin := serveFunction(t, func(_ context.Context, message Message) (Message, error) {
		close(entered)
		<-leave
		return message, nil
	})
	answered := make(chan error, 1)
	go func() {
		_, err := plugin.Process(testContext(t), &pb.ProcessRequest{Id: "a", Type: "T", Payload: []byte("1")})
		answered <- err
	}()
	<-entered
	plugin.end()
	close(leave)
	if err := <-answered; err != nil {
		t.Errorf("expected an answer, got %v", err)
	}
	if err := <-plugin.ended; err != nil {
		t.Errorf("expected a clean end, got %v", err)
	}
}

// The overall health service is SERVING as soon as the plugin answers.
func TestHealthService(t *testing.T) {
	plugin := serveFunction(t, echo)
	got, err := grpc_health_v1.NewHealthClient(plugin.connection).Check(testContext(t), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("expected SERVING, got %v %v", got, err)
	}
}

// What cannot be served is said before anything listens.
func TestRefusedMetadata(t *testing.T) {
	cases := map[string]PluginMetadata{
		"has no name":    {Version: "1.0.0"},
		"has no version": {Name: "x"},
		"says it is a":   {Name: "x", Version: "1.0.0", Type: PluginTypeSource},
		"is not JSON":    {Name: "x", Version: "1.0.0", ConfigSchema: json.RawMessage("{")},
	}
	for expected, metadata := range cases {
		if err := ServeProcessor(metadata, echo); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("expected %q, got %v", expected, err)
		}
	}
	if err := Serve(&identity{metadata: echoMetadata}); err == nil {
		t.Error("expected a refusal of a plugin that is nothing in particular")
	}
}

// A call that does not end in time is told, and costs the process its good exit.
func TestCallThatDoesNotEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	plugin := serveFunction(t, func(_ context.Context, message Message) (Message, error) {
		close(entered)
		<-leave
		return message, nil
	}, func(s *settings) { s.grace = time.Millisecond })
	go func() { _, _ = plugin.Process(testContext(t), &pb.ProcessRequest{}) }()
	<-entered
	plugin.end()
	if err := <-plugin.ended; err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("expected to be told, got %v", err)
	}
	close(leave)
}

// A number of workers that makes no sense is refused before anything listens.
func TestNoWorkers(t *testing.T) {
	err := ServeProcessor(echoMetadata, echo, WithWorkers(0))
	if err == nil || err.Error() != "workers must be at least 1, got 0" {
		t.Errorf("expected a refusal, got %v", err)
	}
}

// An address that is taken has a code of its own.
func TestAddressTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = endpoint{network: "tcp", address: taken.Addr().String()}.listen()
	if CodeAddressUnavailable != codeOf(err) {
		t.Errorf("expected %s, got %v", CodeAddressUnavailable, err)
	}
}
