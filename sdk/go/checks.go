//go:build !wasip1

package cdpplugin

import (
	"context"
	"crypto/subtle"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	tokenKey      = "cdp-token"
	errorKey      = "cdp-error-bin"
	traceKey      = "traceparent"
	healthService = "/grpc.health.v1.Health/"
)

// checkUnary lets a call through that may be made, and keeps a panic from ending the process.
func (s *service) checkUnary(
	ctx context.Context, request any, call *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (answer any, err error) {
	if err := s.allow(ctx, call.FullMethod); err != nil {
		return nil, err
	}
	defer func() {
		if cause := recover(); cause != nil {
			answer, err = nil, statusOf(ctx, panicked(cause), codes.Internal)
		}
	}()
	return handle(ctx, request)
}

// checkStream does for a stream what checkUnary does for a call.
func (s *service) checkStream(
	server any, stream grpc.ServerStream, call *grpc.StreamServerInfo, handle grpc.StreamHandler,
) (err error) {
	if err := s.allow(stream.Context(), call.FullMethod); err != nil {
		return err
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = statusOf(stream.Context(), panicked(cause), codes.Internal)
		}
	}()
	return handle(server, stream)
}

// allow refuses a call without the token of this launch, where there is one.
func (s *service) allow(ctx context.Context, method string) error {
	if s.token == "" || strings.HasPrefix(method, healthService) {
		return nil
	}
	given := metadata.ValueFromIncomingContext(ctx, tokenKey)
	if len(given) == 1 && subtle.ConstantTimeCompare([]byte(given[0]), []byte(s.token)) == 1 {
		return nil
	}
	return status.Error(codes.Unauthenticated, "the call lacks the `cdp-token` of this launch")
}

// TraceParent returns the W3C trace context of the call that ctx belongs to, or an empty string.
func TraceParent(ctx context.Context) string {
	if given := metadata.ValueFromIncomingContext(ctx, traceKey); len(given) > 0 {
		return given[0]
	}
	return ""
}
