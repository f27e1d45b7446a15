//go:build !wasip1

package cdpplugintest

import (
	"context"
	"fmt"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// impatient looks often whether the plugin listens by now.
var impatient = backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1.5, MaxDelay: 100 * time.Millisecond}

// batchProto returns messages as a batch in the encoding that the plugin asks for.
func (p *Plugin) batchProto(messages []cdpplugin.Message) (*pb.MessageBatch, error) {
	if p.encoding == cdpplugin.EncodingArrow {
		return nil, cdpplugin.PluginError{
			Message: "a plugin that takes arrow is not handed messages", Code: cdpplugin.CodeEncodingUnsupported,
			Hint: "try it with `flowctl test`, which makes Arrow of them",
		}
	}
	batch, err := cdpplugin.BatchOf(messages...)
	if err != nil {
		return nil, err
	}
	wire := &pb.MessageBatch{
		Rows: uint32(batch.Rows), Ids: batch.IDs, Types: batch.Types, Payloads: batch.Payloads, Metadata: batch.Metadata,
		TraceIds: batch.TraceIDs, ContentTypes: batch.ContentTypes, Encoding: string(p.encoding),
	}
	for _, source := range batch.Sources {
		wire.Sources = append(wire.Sources, &pb.SourceInfo{Name: source.Name, Network: source.Network, Uri: source.URI})
	}
	return wire, nil
}

func messagesFrom(wire *pb.MessageBatch) ([]cdpplugin.Message, error) {
	batch := &cdpplugin.Batch{
		Rows: int(wire.GetRows()), IDs: wire.GetIds(), Types: wire.GetTypes(), Payloads: wire.GetPayloads(),
		Metadata: wire.GetMetadata(), TraceIDs: wire.GetTraceIds(), ContentTypes: wire.GetContentTypes(),
		Encoding: cdpplugin.Encoding(wire.GetEncoding()), Arrow: wire.GetArrow(),
	}
	for _, source := range wire.GetSources() {
		batch.Sources = append(batch.Sources, cdpplugin.SourceInfo{Name: source.GetName(), Network: source.GetNetwork(), URI: source.GetUri()})
	}
	messages := make([]cdpplugin.Message, batch.Rows)
	for row := range messages {
		message, err := batch.Message(row)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", row, err)
		}
		messages[row] = message
	}
	return messages, nil
}

func stageProto(stage cdpplugin.StageContext) *pb.StartRequest {
	request := &pb.StartRequest{Pipeline: stage.Pipeline, Stage: stage.Stage, Network: stage.Network, Schemas: map[string][]byte{}}
	for name, schema := range stage.Schemas {
		request.Schemas[name] = schema
	}
	return request
}

// call makes a call and returns its error as the plugin's.
func (p *Plugin) call(ctx context.Context, make func(context.Context, grpc.CallOption) error) error {
	var trailer metadata.MD
	return failure(make(ctx, grpc.Trailer(&trailer)), trailer)
}

// failure returns the error of a call as that of the plugin, where the trailer of the call has it.
func failure(err error, trailer metadata.MD) error {
	if err == nil {
		return nil
	}
	detail := &pb.Error{}
	if told := trailer.Get("cdp-error-bin"); len(told) == 1 && proto.Unmarshal([]byte(told[0]), detail) == nil {
		return errorFrom(detail)
	}
	return err
}

// errorFrom returns an error as the plugin's author knows it.
func errorFrom(told *pb.Error) error {
	switch told.GetInstruction() {
	case pb.Error_INSTRUCTION_DROP:
		return cdpplugin.Drop(told.GetMessage())
	case pb.Error_INSTRUCTION_RETRY:
		return cdpplugin.Retry{Message: told.GetMessage(), After: told.GetRetryAfter().AsDuration(), Code: told.GetCode(), Hint: told.GetHint()}
	case pb.Error_INSTRUCTION_FATAL:
		return cdpplugin.Fatal{Message: told.GetMessage(), Code: told.GetCode(), Hint: told.GetHint()}
	}
	if told.GetCode() == cdpplugin.CodeConfigInvalid {
		return cdpplugin.ConfigInvalid{Message: told.GetMessage(), Code: told.GetCode(), Hint: told.GetHint()}
	}
	return cdpplugin.PluginError{Message: told.GetMessage(), Code: told.GetCode(), Hint: told.GetHint()}
}
