//go:build !wasip1

package cdpplugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

// Buffers that keep a batch of some hundred kilobytes moving without waiting for window updates.
const (
	windowBytes           = 8 << 20
	connectionWindowBytes = 32 << 20
	bufferBytes           = 256 << 10
)

// Serve serves plugin, a [Processor], [Source] or [Consumer], where the environment says so, and
// returns when it was told to end: nil after SIGTERM, SIGINT, the end of [WithContext], or, in a
// process launched by a host, the end of standard input, which tells that the host is gone. Calls
// in progress are finished first; it is an error where one does not end in time.
func Serve(plugin Plugin, options ...Option) error {
	installLogger()
	metadata, err := plugin.Metadata().checked(plugin)
	if err != nil {
		return err
	}
	chosen, err := settingsOf(metadata, options)
	if err != nil {
		return err
	}
	place, err := chosen.endpoint(os.Getenv)
	if err != nil {
		return err
	}
	listener, err := place.listen()
	if err != nil {
		return err
	}
	floor := raiseHeapFloor()
	defer runtime.KeepAlive(floor)
	ctx, release := signal.NotifyContext(chosen.ctx, syscall.SIGTERM, os.Interrupt)
	defer release()
	if place.launched {
		ctx = untilEnd(ctx, os.Stdin)
	}
	service := newService(plugin, metadata, chosen, place)
	slog.Info("plugin is listening", "reference", metadata.Reference(), "network", place.network, "address", listener.Addr().String())
	return serve(ctx, service, listener, chosen, release)
}

// serve answers calls on listener until ctx ends; release lets a second signal end the process.
func serve(ctx context.Context, service *service, listener net.Listener, chosen settings, release func()) error {
	server := grpc.NewServer(serverOptions(service, listener, chosen)...)
	pb.RegisterPluginServiceServer(server, service)
	states := health.NewServer()
	healthpb.RegisterHealthServer(server, states)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	release()
	states.Shutdown()
	service.drain()
	if !stopServer(server, chosen.grace) {
		err := fmt.Errorf("a call did not end within %s", chosen.grace)
		slog.Error(err.Error())
		return err
	}
	bounded, cancel := context.WithTimeout(context.Background(), chosen.grace)
	defer cancel()
	if err := service.stop(bounded, func() error { return nil }); err != nil {
		slog.Error("the plugin did not stop cleanly", "error", err.Error())
	}
	return nil
}

// stopServer lets calls in progress finish, but not for ever; it tells whether they did.
func stopServer(server *grpc.Server, grace time.Duration) bool {
	finished := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(finished)
	}()
	bound := time.NewTimer(grace)
	defer bound.Stop()
	select {
	case <-finished:
		return true
	case <-bound.C:
		go server.Stop() // waits for calls too, after it has cancelled their contexts
		return false
	}
}

func serverOptions(service *service, listener net.Listener, chosen settings) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(service.maxMessageBytes),
		grpc.MaxSendMsgSize(service.maxMessageBytes),
		grpc.InitialWindowSize(windowBytes),
		grpc.InitialConnWindowSize(connectionWindowBytes),
		grpc.ReadBufferSize(bufferBytes),
		grpc.WriteBufferSize(bufferBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(service.checkUnary),
		grpc.ChainStreamInterceptor(service.checkStream),
	}
	if chosen.tls != nil && listener.Addr().Network() != "unix" {
		options = append(options, grpc.Creds(credentials.NewTLS(chosen.tls)))
	}
	return options
}

// heapFloorBytes is memory that is never touched, so the system never backs it. The collector counts
// it as live and runs at twice that, not each few batches: a plugin's live heap is tiny, what it
// makes a second is not.
const heapFloorBytes = 16 << 20

func raiseHeapFloor() []byte {
	return make([]byte, heapFloorBytes)
}

// untilEnd returns a context that also ends when reader does.
func untilEnd(ctx context.Context, reader io.Reader) context.Context {
	ended, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, reader)
		cancel(errHostGone)
	}()
	return ended
}

var errHostGone = errors.New("standard input ended: the host is gone")
