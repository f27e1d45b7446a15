//go:build !wasip1

package cdpplugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// service answers the calls of plugin.v1.PluginService; see spec/handshake.md.
type service struct {
	pb.UnimplementedPluginServiceServer
	plugin          Plugin
	metadata        PluginMetadata
	settings        settings
	token           string
	maxMessageBytes int
	// slots bounds how many batches are processed at once, over all calls.
	slots chan struct{}
	// draining is closed when the plugin is told to end.
	draining chan struct{}
	drained  sync.Once

	life    sync.Mutex
	started bool
}

func newService(plugin Plugin, metadata PluginMetadata, chosen settings, place endpoint) *service {
	return &service{
		plugin: plugin, metadata: metadata, settings: chosen, token: place.token,
		maxMessageBytes: place.maxMessageBytes,
		slots:           make(chan struct{}, chosen.workers),
		draining:        make(chan struct{}),
	}
}

// drain lets no new work begin: streams end once what has come is answered.
func (s *service) drain() {
	s.drained.Do(func() { close(s.draining) })
}

var errDraining = status.Error(codes.Unavailable, "the plugin is stopping")

// GetMetadata says who the plugin is.
func (s *service) GetMetadata(context.Context, *pb.MetadataRequest) (*pb.MetadataResponse, error) {
	return metadataProto(s.metadata, s.features()), nil
}

func (s *service) features() []pb.Feature {
	features := []pb.Feature{
		pb.Feature_FEATURE_CONFIGURE, pb.Feature_FEATURE_LIFECYCLE, pb.Feature_FEATURE_HEALTH,
	}
	switch s.plugin.(type) {
	case Processor:
		features = append(features, pb.Feature_FEATURE_PROCESS_BATCH, pb.Feature_FEATURE_STREAM)
	case Source:
		features = append(features, pb.Feature_FEATURE_READ)
	case Consumer:
		features = append(features, pb.Feature_FEATURE_CONSUME, pb.Feature_FEATURE_FORGET)
	}
	if _, keeps := s.plugin.(StateKeeper); keeps {
		features = append(features, pb.Feature_FEATURE_STATE)
	}
	if s.token != "" {
		features = append(features, pb.Feature_FEATURE_TOKEN)
	}
	return features
}

// Configure hands over the configuration.
func (s *service) Configure(ctx context.Context, request *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	config := json.RawMessage(request.GetConfig())
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	if !isObject(config) {
		refusal := ConfigInvalid{Message: "expected the configuration to be a JSON object"}
		return nil, statusOf(ctx, refusal, codes.InvalidArgument)
	}
	err := guard(func() error { return s.settings.configuring(s.plugin)(ctx, config) })
	if err != nil {
		return nil, statusOf(ctx, err, codes.InvalidArgument)
	}
	return &pb.ConfigureResponse{}, nil
}

func isObject(text json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) && json.Valid(text)
}

// Start opens what the plugin needs.
func (s *service) Start(ctx context.Context, request *pb.StartRequest) (*pb.StartResponse, error) {
	s.life.Lock()
	defer s.life.Unlock()
	s.started = true
	answer := &pb.StartResponse{}
	err := guard(func() error { return s.start(ctx, request, answer) })
	if err != nil {
		return nil, statusOf(ctx, err, codes.Internal)
	}
	return answer, nil
}

func (s *service) start(ctx context.Context, request *pb.StartRequest, answer *pb.StartResponse) error {
	if err := s.settings.starting(s.plugin)(ctx, stageFrom(request)); err != nil {
		return err
	}
	if state := request.GetImportedState(); len(state) > 0 {
		keeper, keeps := s.plugin.(StateKeeper)
		if !keeps {
			return Fatal{Message: "the plugin was handed a state and keeps none", Code: CodeStateUnsupported}
		}
		if err := keeper.ImportState(ctx, state); err != nil {
			return err
		}
	}
	switch plugin := s.plugin.(type) {
	case Processor:
	case Source:
		description, err := plugin.Describe(ctx)
		answer.Source = descriptionProto(description)
		return err
	case Consumer:
		position, err := plugin.DurablePosition(ctx)
		answer.DurablePosition = position
		return err
	}
	return nil
}

// Stop closes what Start opened, with the state for the next instance where that is asked for.
func (s *service) Stop(ctx context.Context, request *pb.StopRequest) (*pb.StopResponse, error) {
	answer := &pb.StopResponse{}
	err := s.stop(ctx, func() (err error) {
		if keeper, keeps := s.plugin.(StateKeeper); keeps && request.GetExportState() {
			answer.ExportedState, err = keeper.ExportState(ctx)
		}
		return err
	})
	if err != nil {
		return nil, statusOf(ctx, err, codes.Internal)
	}
	return answer, nil
}

// stop stops the plugin once, if it was started at all; before that it lets it export its state.
func (s *service) stop(ctx context.Context, export func() error) error {
	s.life.Lock()
	defer s.life.Unlock()
	if !s.started {
		return nil
	}
	s.started = false
	return errors.Join(guard(export), guard(func() error { return s.settings.stopping(s.plugin)(ctx) }))
}

// Health says how the plugin is.
func (s *service) Health(ctx context.Context, _ *pb.HealthRequest) (*pb.HealthResponse, error) {
	var health HealthStatus
	err := guard(func() error {
		health = s.settings.healthOf(s.plugin)(ctx)
		return nil
	})
	if err != nil {
		health = HealthStatus{Status: Unhealthy, Message: err.Error()}
	}
	return healthProto(health), nil
}

// Forget lets a consumer forget its durable position.
func (s *service) Forget(ctx context.Context, request *pb.ForgetRequest) (*pb.ForgetResponse, error) {
	consumer, consumes := s.plugin.(Consumer)
	if !consumes {
		return nil, s.unimplemented("Forget")
	}
	stage := StageContext{
		Pipeline: request.GetPipeline(), Stage: request.GetStage(), Network: request.GetNetwork(),
	}
	answer := &pb.ForgetResponse{}
	err := guard(func() (err error) {
		answer.Done, err = consumer.Forget(ctx, stage)
		return err
	})
	if err != nil {
		return nil, statusOf(ctx, err, codes.Internal)
	}
	return answer, nil
}

func (s *service) unimplemented(call string) error {
	return status.Errorf(codes.Unimplemented, "`%s` is a %s and has no %s", s.metadata.Name, s.metadata.Type, call)
}

// statusOf returns err as a status, with its details in the trailing metadata of the call. An
// error that is none of this SDK's has the code foreign.
func statusOf(ctx context.Context, err error, foreign codes.Code) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}
	}
	detail := errorProto(err)
	details := cutBytes(detail.GetMessage(), statusMessageBytes)
	detail.Message = cutBytes(detail.GetMessage(), trailerMessageBytes)
	detail.Hint = cutBytes(detail.GetHint(), trailerHintBytes)
	if encoded, failed := proto.Marshal(detail); failed == nil {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(errorKey, string(encoded)))
	}
	return status.Error(statusCode(err, detail.GetInstruction(), foreign), details)
}

func statusCode(err error, instruction pb.Error_Instruction, foreign codes.Code) codes.Code {
	switch instruction {
	case pb.Error_INSTRUCTION_RETRY:
		return codes.Unavailable
	case pb.Error_INSTRUCTION_FATAL:
		return codes.FailedPrecondition
	}
	var own known
	if errors.As(err, &own) {
		return codes.InvalidArgument
	}
	return foreign
}
