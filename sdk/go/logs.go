package cdpplugin

import (
	"io"
	"log/slog"
	"os"
)

// LogLevel is the least level that [Logger] writes; Info unless it is set.
var LogLevel = new(slog.LevelVar)

var logger = slog.New(NewLogHandler(os.Stderr))

// originalLogger tells at Serve whether the program has chosen a logger of its own.
var originalLogger = slog.Default()

// Logger returns the logger whose lines the host takes over with level and fields: JSON lines on
// standard error. Serve makes it the default of log/slog, and so of package log, unless the
// program has set another default before.
func Logger() *slog.Logger {
	return logger
}

// NewLogHandler returns a handler that writes one JSON object a line to writer, with the keys
// `level` (debug, info, warning, error) and `message`, and the record's attributes. The time is the
// host's to add.
func NewLogHandler(writer io.Writer) slog.Handler {
	return slog.NewJSONHandler(writer, &slog.HandlerOptions{Level: LogLevel, ReplaceAttr: logField})
}

func logField(groups []string, field slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return field
	}
	level, isLevel := field.Value.Any().(slog.Level)
	switch {
	case field.Key == slog.TimeKey && field.Value.Kind() == slog.KindTime:
		return slog.Attr{}
	case field.Key == slog.LevelKey && isLevel:
		return slog.String("level", levelName(level))
	case field.Key == slog.MessageKey:
		field.Key = "message"
	case field.Key == "message" || field.Key == slog.LevelKey:
		// An attribute of the author's that would hide the line's own.
		field.Key = "field_" + field.Key
	}
	return field
}

func levelName(level slog.Level) string {
	switch {
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warning"
	}
	return "error"
}

func installLogger() {
	if slog.Default() == originalLogger {
		slog.SetDefault(logger)
	}
}
