package cdpplugin

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
)

// bound is the longest that anything in these tests may take.
const bound = 20 * time.Second

// TestMain lets the test program be a plugin of its own, for tests that need a process.
func TestMain(m *testing.M) {
	if run := programs[os.Getenv("CDP_TEST_PROGRAM")]; run != nil {
		run()
		os.Exit(0)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// programs are the plugins that a test can start as a process.
var programs = map[string]func(){
	"brief": ExamplePlugin,
	"echo": func() {
		err := ServeProcessor(echoMetadata, func(_ context.Context, message Message) (Message, error) {
			return message, nil
		}, WithStop(func(context.Context) error {
			Logger().Info("stopped", "by", "the plugin")
			return nil
		}))
		if err != nil {
			Logger().Error(err.Error())
			os.Exit(1)
		}
	},
}

var echoMetadata = PluginMetadata{Name: "echo", Version: "1.0.0"}

// testContext ends with the bound of a test.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

// socketPath returns a path short enough for a Unix socket.
func socketPath(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "cdp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	return filepath.Join(folder, "plugin.sock")
}

// served is a plugin that is served within the test program.
type served struct {
	pb.PluginServiceClient
	connection *grpc.ClientConn
	end        context.CancelFunc
	ended      chan error
}

// serveOn serves a plugin on a Unix socket with the real Serve and connects to it.
func serveOn(t testing.TB, run func(options ...Option) error, environment map[string]string, options ...Option) *served {
	t.Helper()
	target := ""
	if _, given := environment["PLUGIN_PORT"]; !given {
		socket := socketPath(t)
		t.Setenv("PLUGIN_SOCKET", socket)
		target = "unix:" + socket
	} else {
		target = "127.0.0.1:" + environment["PLUGIN_PORT"]
	}
	for name, value := range environment {
		t.Setenv(name, value)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(append(options, WithContext(ctx))...) }()
	plugin := &served{connection: dial(t, target), end: end, ended: ended}
	plugin.PluginServiceClient = pb.NewPluginServiceClient(plugin.connection)
	t.Cleanup(func() {
		plugin.connection.Close()
		end()
	})
	if _, err := grpc_health_v1.NewHealthClient(plugin.connection).Check(
		testContext(t), &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	return plugin
}

// servePlugin serves a full plugin.
func servePlugin(t testing.TB, plugin Plugin, options ...Option) *served {
	t.Helper()
	return serveOn(t, func(options ...Option) error { return Serve(plugin, options...) }, nil, options...)
}

// serveFunction serves a function for a message.
func serveFunction(t testing.TB, function ProcessorFunc, options ...Option) *served {
	t.Helper()
	return serveOn(t, func(options ...Option) error { return ServeProcessor(echoMetadata, function, options...) }, nil, options...)
}

func dial(t testing.TB, target string) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func withToken(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "cdp-token", token)
}

// process is a plugin in a process of its own, launched as a host does.
type process struct {
	command *exec.Cmd
	pb.PluginServiceClient
	stdin io.WriteCloser
	lines chan string
}

func launch(t *testing.T, program string) *process {
	t.Helper()
	socket := socketPath(t)
	command := exec.Command(os.Args[0])
	command.Env = []string{
		"CDP_TEST_PROGRAM=" + program, "PLUGIN_MODE=grpc", "PLUGIN_SOCKET=" + socket,
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
	}
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	connection := dial(t, "unix:"+socket)
	t.Cleanup(func() { connection.Close() })
	client := pb.NewPluginServiceClient(connection)
	if _, err := client.GetMetadata(testContext(t), &pb.MetadataRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	return &process{command: command, PluginServiceClient: client, stdin: stdin, lines: lines}
}

// exit waits for the process and returns its exit status and log.
func (p *process) exit(t *testing.T) (int, string) {
	t.Helper()
	killer := time.AfterFunc(bound, func() { _ = p.command.Process.Kill() })
	defer killer.Stop()
	var log []string
	for line := range p.lines {
		log = append(log, line)
	}
	_ = p.command.Wait()
	return p.command.ProcessState.ExitCode(), strings.Join(log, "\n")
}
