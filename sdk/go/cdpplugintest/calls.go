//go:build !wasip1

package cdpplugintest

import (
	"context"
	"fmt"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
)

// Answer is what a processor made of a batch.
type Answer struct {
	// Outputs are all outputs, in order. One that the plugin gave no id has none: the host derives it.
	Outputs []cdpplugin.Message
	// Rows names for each output the input that it derives from, counted from 0.
	Rows []int
	// Errors says what went wrong, by input.
	Errors map[int]error
	// Dropped counts inputs that were left out, by reason, for those that gave one.
	Dropped map[string]int
}

// Process hands the plugin one message and returns its output.
//
// A message that was left out is an error that errors.As finds as a [cdpplugin.Drop]; any other error is
// found as what the plugin returned: Retry, Fatal, PluginError. It is an error if there are several
// outputs; see [Plugin.ProcessAll].
func (p *Plugin) Process(ctx context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	answer, err := p.ProcessAll(ctx, message)
	if err != nil {
		return cdpplugin.Message{}, err
	}
	if err := answer.Errors[0]; err != nil {
		return cdpplugin.Message{}, err
	}
	switch len(answer.Outputs) {
	case 1:
		return answer.Outputs[0], nil
	case 0:
		return cdpplugin.Message{}, answer.drop()
	}
	return cdpplugin.Message{}, cdpplugin.PluginError{
		Message: fmt.Sprintf("expected one output, got %d", len(answer.Outputs)),
		Code:    cdpplugin.CodeOutputInvalid,
		Hint:    "call ProcessAll, which returns them all",
	}
}

// drop returns why the only message was left out.
func (a *Answer) drop() cdpplugin.Drop {
	for reason := range a.Dropped {
		return cdpplugin.Drop(reason)
	}
	return ""
}

// ProcessAll hands the plugin messages as one batch and returns what came of it. The error is one of the
// batch as a whole: a Retry, a Fatal.
func (p *Plugin) ProcessAll(ctx context.Context, messages ...cdpplugin.Message) (*Answer, error) {
	batch, err := p.batchProto(messages)
	if err != nil {
		return nil, err
	}
	var response *pb.ProcessBatchResponse
	err = p.call(ctx, func(ctx context.Context, trailer grpc.CallOption) (err error) {
		response, err = p.client.ProcessBatch(ctx, &pb.ProcessBatchRequest{Batch: batch}, trailer)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answerFrom(response)
}

func answerFrom(response *pb.ProcessBatchResponse) (*Answer, error) {
	outputs, err := messagesFrom(response.GetOutputs())
	if err != nil {
		return nil, err
	}
	answer := &Answer{Outputs: outputs, Rows: make([]int, len(outputs)), Errors: map[int]error{}, Dropped: map[string]int{}}
	for at := range outputs {
		answer.Rows[at] = at
		if rows := response.GetOutputRows(); len(rows) > 0 {
			answer.Rows[at] = int(rows[at])
		}
	}
	for _, failed := range response.GetErrors() {
		answer.Errors[int(failed.GetRow())] = errorFrom(failed.GetError())
	}
	for reason, count := range response.GetDropped() {
		answer.Dropped[reason] = int(count)
	}
	return answer, nil
}

// Health returns how the plugin says it is.
func (p *Plugin) Health(ctx context.Context) (cdpplugin.HealthStatus, error) {
	var health cdpplugin.HealthStatus
	err := p.call(ctx, func(ctx context.Context, trailer grpc.CallOption) error {
		response, err := p.client.Health(ctx, &pb.HealthRequest{}, trailer)
		health = cdpplugin.HealthStatus{
			Status: cdpplugin.Status(response.GetStatus()), Message: response.GetMessage(),
			Details: response.GetDetails().AsMap(),
		}
		return err
	})
	return health, err
}
