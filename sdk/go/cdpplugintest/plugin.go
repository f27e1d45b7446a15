//go:build !wasip1

// Package cdpplugintest starts plugins in tests, and talks to them as a host does.
//
// The plugin is served for real, by [cdpplugin.Serve] on a Unix socket, and reached by gRPC. So a test
// tries the author's function with all that is around it: the configuration, the encoding, drops, errors
// of single messages, panics. One line makes the function that a package's tests share:
//
//	func startTestPlugin(t *testing.T) *cdpplugintest.Plugin { return cdpplugintest.StartTestPlugin(t, serve) }
//
// where serve is what main calls, with the options that it is handed:
//
//	func serve(options ...cdpplugin.Option) error {
//		return cdpplugin.ServeProcessor(metadata, process, options...)
//	}
package cdpplugintest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
)

// bound is the longest that a start or a stop may take.
const bound = 60 * time.Second

// ServeFunc serves the plugin under test with the given options beside its own.
type ServeFunc func(options ...cdpplugin.Option) error

// Plugin is a plugin that was configured and started. Its methods may be called from several goroutines.
type Plugin struct {
	t          testing.TB
	client     pb.PluginServiceClient
	connection *grpc.ClientConn
	encoding   cdpplugin.Encoding
	// end lets the plugin end and waits until it has.
	end     func() error
	stopped sync.Once
	// consuming guards what was consumed so far.
	consuming sync.Mutex
	position  int64
	sequence  uint64
}

// Option changes how a plugin is started in a test.
type Option func(*setup) error

type setup struct {
	config json.RawMessage
	stage  cdpplugin.StageContext
}

// WithConfig gives the plugin its configuration: JSON text (a string, []byte or json.RawMessage), or a
// value that is written as JSON. Without it the configuration is {}.
func WithConfig(config any) Option {
	return func(s *setup) (err error) {
		switch text := config.(type) {
		case string:
			s.config = json.RawMessage(text)
		case []byte:
			s.config = text
		case json.RawMessage:
			s.config = text
		default:
			s.config, err = json.Marshal(config)
		}
		return err
	}
}

// WithStage tells the plugin where it stands. Without it, it is the stage "test" of the pipeline "test".
func WithStage(stage cdpplugin.StageContext) Option {
	return func(s *setup) error {
		s.stage = stage
		return nil
	}
}

// StartTestPlugin serves the plugin, configures and starts it; the test fails where that does. The
// plugin is stopped when the test ends, if not before.
func StartTestPlugin(t testing.TB, serve ServeFunc, options ...Option) *Plugin {
	t.Helper()
	return must(t)(TryStartTestPlugin(t, serve, options...))
}

// TryStartTestPlugin is [StartTestPlugin] for a plugin that may refuse its configuration, or fail at its
// start: that error is returned.
func TryStartTestPlugin(t testing.TB, serve ServeFunc, options ...Option) (*Plugin, error) {
	t.Helper()
	return start(t, options, func(socket string) (*running, error) { return inProcess(serve, socket), nil })
}

// StartTestPluginProcess builds the Go program in a folder, "." in most tests, and starts it in a
// process of its own, as a host does: the test then tries its main too, and what it writes to its log is
// in the log of the test.
func StartTestPluginProcess(t testing.TB, folder string, options ...Option) *Plugin {
	t.Helper()
	return must(t)(start(t, options, func(socket string) (*running, error) { return asProcess(t, folder, socket) }))
}

func must(t testing.TB) func(*Plugin, error) *Plugin {
	return func(plugin *Plugin, err error) *Plugin {
		t.Helper()
		if err != nil {
			t.Fatalf("the plugin did not start: %v", err)
		}
		return plugin
	}
}

// start runs a plugin on a socket and brings it to the point where it takes messages.
func start(t testing.TB, options []Option, run func(socket string) (*running, error)) (*Plugin, error) {
	t.Helper()
	chosen := setup{config: json.RawMessage("{}"), stage: cdpplugin.StageContext{Pipeline: "test", Stage: "test"}}
	for _, option := range options {
		if err := option(&chosen); err != nil {
			return nil, err
		}
	}
	socket, err := socketPath(t)
	if err != nil {
		return nil, err
	}
	plugin := &Plugin{t: t}
	if plugin.connection, err = dial(socket); err != nil {
		return nil, err
	}
	plugin.client = pb.NewPluginServiceClient(plugin.connection)
	ran, err := run(socket)
	if err != nil {
		plugin.connection.Close()
		return nil, err
	}
	plugin.end = ran.end
	t.Cleanup(plugin.Stop)
	if err := plugin.begin(ran, chosen); err != nil {
		plugin.stopped.Do(func() { _ = plugin.quit() })
		return nil, err
	}
	return plugin, nil
}

// begin configures and starts the plugin, as soon as it answers.
func (p *Plugin) begin(ran *running, chosen setup) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	metadata, err := p.ready(ctx, ran)
	if err != nil {
		return err
	}
	p.encoding = cdpplugin.Encoding(metadata.GetInputEncoding())
	if err := p.call(ctx, func(ctx context.Context, trailer grpc.CallOption) error {
		_, err := p.client.Configure(ctx, &pb.ConfigureRequest{Config: chosen.config}, trailer)
		return err
	}); err != nil {
		return err
	}
	return p.call(ctx, func(ctx context.Context, trailer grpc.CallOption) error {
		_, err := p.client.Start(ctx, stageProto(chosen.stage), trailer)
		return err
	})
}

// ready returns what the plugin says of itself, or why it ended before it did.
func (p *Plugin) ready(ctx context.Context, ran *running) (*pb.MetadataResponse, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-ran.done:
			cancel(errors.Join(errors.New("it ended before it answered"), ran.err))
		case <-ctx.Done():
		}
	}()
	metadata, err := p.client.GetMetadata(ctx, &pb.MetadataRequest{ProtocolMin: 1, ProtocolMax: 1}, grpc.WaitForReady(true))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause
	}
	return metadata, err
}

// Stop stops the plugin and ends it; the test fails where that does. Further calls do nothing.
func (p *Plugin) Stop() {
	p.t.Helper()
	p.stopped.Do(func() {
		p.t.Helper()
		if err := p.quit(); err != nil {
			p.t.Errorf("the plugin did not stop cleanly: %v", err)
		}
	})
}

// quit stops the plugin and waits for its end, which says more than the call that it broke.
func (p *Plugin) quit() error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	stopped := p.call(ctx, func(ctx context.Context, trailer grpc.CallOption) error {
		_, err := p.client.Stop(ctx, &pb.StopRequest{}, trailer)
		return err
	})
	p.connection.Close()
	if err := p.end(); err != nil {
		return err
	}
	return stopped
}
