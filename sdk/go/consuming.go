//go:build !wasip1

package cdpplugin

import (
	"context"
	"errors"
	"io"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
)

// Consume hands a consumer one delivery after another and answers each.
func (s *service) Consume(stream grpc.BidiStreamingServer[pb.ConsumeRequest, pb.ConsumeResponse]) error {
	consumer, consumes := s.plugin.(Consumer)
	if !consumes {
		return s.unimplemented("Consume")
	}
	ctx := stream.Context()
	requests := make(chan *pb.ConsumeRequest)
	ended := make(chan error, 1)
	go func() {
		for {
			request, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case requests <- request:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case request := <-requests:
			if err := stream.Send(consumed(ctx, consumer, request)); err != nil {
				return err
			}
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-s.draining:
			return errDraining
		}
	}
}

// consumed has the consumer take one delivery and returns the answer.
func consumed(ctx context.Context, consumer Consumer, request *pb.ConsumeRequest) *pb.ConsumeResponse {
	response := &pb.ConsumeResponse{Sequence: request.GetSequence()}
	err := guard(func() error {
		durable, err := consume(ctx, consumer, request)
		response.DurableThrough = durable
		return err
	})
	if err != nil {
		response.DurableThrough, response.Error = nil, errorProto(err)
	}
	return response
}

// consume takes the delivery of a request; a flush that carries no batch brings none.
func consume(ctx context.Context, consumer Consumer, request *pb.ConsumeRequest) (durable *int64, err error) {
	if request.GetBatch().GetRows() > 0 || !request.GetFlush() {
		delivery, err := deliveryFrom(request)
		if err != nil {
			return nil, err
		}
		if durable, err = consumer.Consume(ctx, delivery); err != nil {
			return nil, err
		}
	}
	if !request.GetFlush() {
		return durable, nil
	}
	flushed, err := consumer.Flush(ctx)
	if flushed == nil {
		flushed = durable
	}
	return flushed, err
}

func deliveryFrom(request *pb.ConsumeRequest) (Delivery, error) {
	batch, err := batchFrom(request.GetBatch())
	if err == nil && len(request.GetPositions()) != batch.Len() {
		err = PluginError{Message: "a delivery lacks the position of each of its rows", Code: CodeBatchInvalid}
	}
	return Delivery{
		Batch: batch, Positions: request.GetPositions(), CompletedThrough: request.GetCompletedThrough(),
	}, err
}
