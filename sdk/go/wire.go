//go:build !wasip1

package cdpplugin

import (
	"encoding/json"
	"maps"
	"slices"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// protocol is the version of spec/handshake.md that this SDK speaks.
const protocol = 1

// batchFrom returns the batch that message stands for; the columns are shared, not copied.
func batchFrom(message *pb.MessageBatch) (*Batch, error) {
	batch := &Batch{
		Rows:         int(message.GetRows()),
		IDs:          message.GetIds(),
		Types:        message.GetTypes(),
		Payloads:     message.GetPayloads(),
		Metadata:     message.GetMetadata(),
		TraceIDs:     message.GetTraceIds(),
		ContentTypes: message.GetContentTypes(),
		Encoding:     Encoding(or(message.GetEncoding(), string(EncodingJSON))),
		Arrow:        message.GetArrow(),
	}
	for _, source := range message.GetSources() {
		batch.Sources = append(batch.Sources, sourceFrom(source))
	}
	return batch, batch.check()
}

func batchProto(batch *Batch) *pb.MessageBatch {
	if batch == nil {
		return nil
	}
	message := &pb.MessageBatch{
		Rows: uint32(batch.Rows), Ids: batch.IDs, Types: batch.Types, Payloads: batch.Payloads,
		Metadata: batch.Metadata, TraceIds: batch.TraceIDs, ContentTypes: batch.ContentTypes,
		Encoding: or(string(batch.Encoding), string(EncodingJSON)), Arrow: batch.Arrow,
	}
	for _, source := range batch.Sources {
		message.Sources = append(message.Sources, sourceProto(source))
	}
	return message
}

func sourceFrom(source *pb.SourceInfo) SourceInfo {
	return SourceInfo{Name: source.GetName(), Network: source.GetNetwork(), URI: source.GetUri()}
}

func sourceProto(source SourceInfo) *pb.SourceInfo {
	return &pb.SourceInfo{Name: source.Name, Network: source.Network, Uri: source.URI}
}

// answerProto returns the answer to a batch of the given number of rows, which the outputs fit.
func answerProto(outputs *Outputs, rows int) *pb.ProcessBatchResponse {
	answer := &pb.ProcessBatchResponse{}
	if outputs.Batch.Len() > 0 {
		answer.Outputs = batchProto(outputs.Batch)
		answer.OutputRows = rowsProto(outputs.Rows, rows)
	}
	for _, row := range slices.Sorted(maps.Keys(outputs.Errors)) {
		failed := &pb.RowError{Row: uint32(row), Error: errorProto(outputs.Errors[row])}
		answer.Errors = append(answer.Errors, failed)
	}
	for reason, count := range outputs.Dropped {
		if answer.Dropped == nil {
			answer.Dropped = map[string]uint64{}
		}
		answer.Dropped[valid(reason)] += uint64(count)
	}
	return answer
}

// errorProto returns err as the wire knows it.
func errorProto(err error) *pb.Error {
	told := reportOf(err)
	answer := &pb.Error{
		Instruction: pb.Error_Instruction(told.instruction), Code: told.code, Message: told.message, Hint: told.hint,
	}
	if told.after > 0 {
		answer.RetryAfter = durationpb.New(told.after)
	}
	return answer
}

// rowsProto leaves the rows out where they are one output for each input row.
func rowsProto(outputs []int, rows int) []uint32 {
	each := len(outputs) == rows
	column := make([]uint32, len(outputs))
	for at, row := range outputs {
		column[at] = uint32(row)
		each = each && at == row
	}
	if each {
		return nil
	}
	return column
}

// batchOfOne returns the single message of a request as a batch of one row.
func batchOfOne(request *pb.ProcessRequest) (*Batch, error) {
	batch := &Batch{
		Rows: 1, IDs: []string{request.GetId()}, Types: []string{request.GetType()},
		Payloads: [][]byte{request.GetPayload()}, TraceIDs: []string{request.GetTraceId()},
		ContentTypes: []string{request.GetContentType()}, Encoding: EncodingJSON,
	}
	if request.GetSource() != nil {
		batch.Sources = []SourceInfo{sourceFrom(request.GetSource())}
	}
	if request.GetMetadata() != nil {
		metadata, err := encodeMetadata(request.GetMetadata().AsMap())
		if err != nil {
			return nil, err
		}
		batch.Metadata = [][]byte{metadata}
	}
	return batch, nil
}

// singleAnswer returns the answer to a single message; more than one output has no place in it.
func singleAnswer(outputs *Outputs) (*pb.ProcessResponse, error) {
	if err := outputs.Errors[0]; err != nil {
		return nil, err
	}
	batch := outputs.Batch
	switch {
	case batch.Len() == 0:
		return &pb.ProcessResponse{Dropped: true}, nil
	case batch.Len() > 1:
		return nil, outputInvalid("a single call holds one output, got %d", batch.Len())
	}
	metadata, err := structOf(batch.Metadata.At(0))
	if err != nil {
		return nil, err
	}
	return &pb.ProcessResponse{
		Id: batch.IDs.At(0), Type: batch.Types.At(0), Payload: batch.payload(0), Metadata: metadata,
		Source: sourceProto(batch.Sources.At(0)), TraceId: batch.TraceIDs.At(0),
		ContentType: or(batch.ContentTypes.At(0), ContentTypeJSON),
	}, nil
}

func metadataProto(metadata PluginMetadata, features []pb.Feature) *pb.MetadataResponse {
	answer := &pb.MetadataResponse{
		Name: metadata.Name, Version: metadata.Version, Type: string(metadata.Type),
		Description: metadata.Description, Author: metadata.Author, License: metadata.License,
		InputTypes: metadata.InputTypes, OutputTypes: metadata.OutputTypes,
		ConfigSchema: metadata.ConfigSchema, InputEncoding: string(metadata.InputEncoding),
		Stateful: metadata.Stateful, Protocol: protocol, Features: features, Sdk: "go/" + Version,
		Resources: &pb.ResourceRequirements{
			MinMemoryMb: uint32(max(metadata.Resources.MinMemoryMB, 0)),
			MaxMemoryMb: uint32(max(metadata.Resources.MaxMemoryMB, 0)),
			CpuShares:   uint32(max(metadata.Resources.CPUShares, 0)),
			GpuRequired: metadata.Resources.GPURequired,
		},
	}
	for name, schema := range metadata.OutputSchema {
		if answer.OutputSchema == nil {
			answer.OutputSchema = map[string][]byte{}
		}
		answer.OutputSchema[name] = schema
	}
	return answer
}

func stageFrom(request *pb.StartRequest) StageContext {
	stage := StageContext{
		Pipeline: request.GetPipeline(), Stage: request.GetStage(), Network: request.GetNetwork(),
		Schemas: map[string]json.RawMessage{},
	}
	for name, schema := range request.GetSchemas() {
		stage.Schemas[name] = schema
	}
	return stage
}

func descriptionProto(description SourceDescription) *pb.SourceDescription {
	return &pb.SourceDescription{
		Identity: description.Identity, Network: description.Network, Unit: description.Unit,
		First: description.First, Last: description.Last, Start: description.Start,
	}
}

func healthProto(health HealthStatus) *pb.HealthResponse {
	answer := &pb.HealthResponse{
		Status: or(string(health.Status), string(Healthy)), Message: health.Message,
	}
	text, err := encodeMetadata(health.Details)
	if err == nil {
		answer.Details, err = structOf(text)
	}
	if err != nil {
		answer.Details, _ = structpb.NewStruct(map[string]any{"details_error": err.Error()})
	}
	return answer
}
