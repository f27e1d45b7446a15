// A plugin for a container: it says what it sees of the world around it.
package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/signal"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
)

// raw knows GetMetadata and Process, and nothing but PLUGIN_PORT.
type raw struct {
	pb.UnimplementedPluginServiceServer
}

func (raw) GetMetadata(context.Context, *pb.MetadataRequest) (*pb.MetadataResponse, error) {
	return &pb.MetadataResponse{Name: "raw", Version: "1.0.0", Type: "processor"}, nil
}

func (raw) Process(_ context.Context, request *pb.ProcessRequest) (*pb.ProcessResponse, error) {
	return &pb.ProcessResponse{Id: request.Id, Type: "Answer", Payload: request.Payload}, nil
}

func look(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	if message.Type == "Poison" {
		println("about to die")
		os.Exit(3)
	}
	names := []string{}
	interfaces, _ := net.Interfaces()
	for _, each := range interfaces {
		names = append(names, each.Name)
	}
	status, _ := os.ReadFile("/proc/self/status")
	var err error
	message.Payload, err = json.Marshal(map[string]any{
		"environ":    os.Environ(),
		"interfaces": names,
		"root":       os.WriteFile("/written", nil, 0o600) == nil,
		"tmp":        os.WriteFile("/tmp/written", nil, 0o600) == nil,
		"status":     string(status),
	})
	return message, err
}

func serveRaw(network, address string) {
	listener, err := net.Listen(network, address)
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	pb.RegisterPluginServiceServer(server, raw{})
	_ = server.Serve(listener)
}

func main() {
	println("hello from the container")
	switch os.Getenv("MODE") {
	case "raw":
		serveRaw("tcp", ":"+os.Getenv("PLUGIN_PORT"))
	case "deaf": // ends neither with its host nor when it is told to
		signal.Ignore(os.Interrupt)
		go func() { _, _ = io.Copy(io.Discard, os.Stdin) }()
		serveRaw("unix", os.Getenv("PLUGIN_SOCKET"))
	default:
		_ = cdpplugin.ServeProcessor(
			cdpplugin.PluginMetadata{Name: "raw", Version: "1.0.0", Type: "processor"}, look)
	}
}
