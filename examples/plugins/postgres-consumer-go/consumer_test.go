package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

var ctx = context.Background()

// dsn is where a real server is; without one the tests that need it are skipped.
func dsn(t *testing.T) string {
	t.Helper()
	found := os.Getenv("DATABASE_URL")
	if found == "" {
		t.Skip("DATABASE_URL is not set")
	}
	return found
}

// started returns a consumer that writes to a table of its own, and a connection to look at that.
func started(t *testing.T, table string) (*consumer, *pgx.Conn) {
	t.Helper()
	address := dsn(t)
	connection, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close(ctx) })
	execute(t, connection, "DROP TABLE IF EXISTS "+table)
	made := &consumer{}
	config, _ := json.Marshal(map[string]string{"dsn": address, "table": table})
	if err := errors.Join(made.Configure(ctx, config), made.Start(ctx, cdpplugin.StageContext{})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { made.Stop(ctx) })
	return made, connection
}

func execute(t *testing.T, connection *pgx.Conn, statement string) {
	t.Helper()
	if _, err := connection.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// A role that may write to the table, and make none, is enough where there is one. Before PostgreSQL
// 15 every role may make tables in public.
func TestRoleThatMayWriteOnly(t *testing.T) {
	_, connection := started(t, "go_written_only")
	for _, statement := range []string{
		"DROP ROLE IF EXISTS go_writer", "CREATE ROLE go_writer",
		"GRANT SELECT, INSERT, UPDATE ON go_written_only TO go_writer",
	} {
		execute(t, connection, statement)
	}
	defer func() {
		execute(t, connection, "DROP OWNED BY go_writer")
		execute(t, connection, "DROP ROLE go_writer")
	}()
	writer := &consumer{}
	config, _ := json.Marshal(map[string]string{"dsn": dsn(t), "table": "go_written_only"})
	if err := writer.Configure(ctx, config); err != nil {
		t.Fatal(err)
	}
	writer.settings.connection.RuntimeParams["role"] = "go_writer"
	defer writer.Stop(ctx)
	if err := writer.Start(ctx, cdpplugin.StageContext{}); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Consume(ctx, delivery(1, cdpplugin.Message{Type: "T", ID: "a", Payload: []byte(`{}`)})); err != nil {
		t.Fatal(err)
	}
}

func shown(t *testing.T, connection *pgx.Conn, table string) string {
	t.Helper()
	var text string
	err := connection.QueryRow(ctx, `SELECT coalesce(string_agg(concat_ws(' ', type, id, position, payload, metadata), '; '
		ORDER BY position, id), '') FROM `+table).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func delivery(through int64, messages ...cdpplugin.Message) cdpplugin.Delivery {
	batch, _ := cdpplugin.BatchOf(messages...)
	positions := make([]int64, len(messages))
	for row := range positions {
		positions[row] = through
	}
	return cdpplugin.Delivery{Batch: batch, Positions: positions, CompletedThrough: through}
}

func message(id, payload string) cdpplugin.Message {
	return cdpplugin.Message{ID: id, Type: "T", Payload: json.RawMessage(payload), Metadata: map[string]any{"k": 1}}
}

// What is acknowledged is committed: rows with all their digits, a row that comes again written over.
func TestWrites(t *testing.T) {
	consumer, connection := started(t, "go_writes")
	through, err := consumer.Consume(ctx, delivery(5, message("a", `{"n": 12345678901234567890.1}`), message("b", `null`), message("b", `2`)))
	if err != nil || *through != 5 {
		t.Fatalf("got %v, %v", through, err)
	}
	if _, err := consumer.Consume(ctx, delivery(6, message("a", `"again"`))); err != nil {
		t.Fatal(err)
	}
	expected := `T b 5 2 {"k": 1}; T a 6 "again" {"k": 1}`
	if got := shown(t, connection, "go_writes"); expected != got {
		t.Errorf("expected %s, got %s", expected, got)
	}
	if through, err := consumer.Consume(ctx, delivery(9)); err != nil || *through != 9 {
		t.Errorf("a mark alone: got %v, %v", through, err)
	}
}

// A delivery with a row that the server refuses writes nothing, and the connection goes on.
func TestRefusedRow(t *testing.T) {
	consumer, connection := started(t, "go_refused")
	_, err := consumer.Consume(ctx, delivery(1, message("a", `1`), message("b", `{"text": "\u0000"}`)))
	var failed cdpplugin.PluginError
	if !errors.As(err, &failed) || failed.Code != dataRefused {
		t.Fatalf("got %v", err)
	}
	if status := consumer.Health(ctx); status.Status != cdpplugin.Degraded || status.Message == "" {
		t.Errorf("got %v", status)
	}
	if got := shown(t, connection, "go_refused"); got != "" {
		t.Errorf("got %s", got)
	}
	if _, err := consumer.Consume(ctx, delivery(1, message("a", `1`))); err != nil || consumer.Health(ctx).Status != cdpplugin.Healthy {
		t.Errorf("got %v", err)
	}
}

// A connection that the server ends is a retry, after which the delivery is taken.
func TestReconnects(t *testing.T) {
	consumer, connection := started(t, "go_reconnects")
	execute(t, connection, fmt.Sprintf("SELECT pg_terminate_backend(%d)", consumer.connection.PgConn().PID()))
	_, err := consumer.Consume(ctx, delivery(1, message("a", `1`)))
	var retry cdpplugin.Retry
	if !errors.As(err, &retry) || retry.Code != serverAway {
		t.Fatalf("got %v", err)
	}
	if _, err := consumer.Consume(ctx, delivery(1, message("a", `1`))); err != nil {
		t.Error(err)
	}
}

// A server that is away does not end the start; one that refuses the table does.
func TestStarts(t *testing.T) {
	made := &consumer{}
	away := json.RawMessage(`{"dsn": "postgresql://u:secret@127.0.0.1:1/d"}`)
	if err := errors.Join(made.Configure(ctx, away), made.Start(ctx, cdpplugin.StageContext{})); err != nil {
		t.Fatal(err)
	}
	if status := made.Health(ctx); status.Status != cdpplugin.Degraded || strings.Contains(status.Message, "secret") {
		t.Errorf("got %v", status)
	}
	config, _ := json.Marshal(map[string]string{"dsn": dsn(t), "table": "no_such_schema.t"})
	var fatal cdpplugin.Fatal
	if err := errors.Join(made.Configure(ctx, config), made.Start(ctx, cdpplugin.StageContext{})); !errors.As(err, &fatal) {
		t.Errorf("got %v", err)
	}
}

// What a server says is told apart by its SQLSTATE.
func TestInstructions(t *testing.T) {
	for state, code := range map[string]string{
		"28P01": loginRefused, "3D000": loginRefused, "57P01": serverAway, "40001": serverAway, "53300": serverAway,
		"22P05": dataRefused, "23514": dataRefused, "42501": refused, "42P10": refused,
	} {
		err := instructionOf(fmt.Errorf("connect: %w", &pgconn.PgError{Code: state, Message: "no"}), "d")
		var coded struct{ code string }
		switch told := err.(type) {
		case cdpplugin.Fatal:
			coded.code = told.Code
		case cdpplugin.Retry:
			coded.code = told.Code
		case cdpplugin.PluginError:
			coded.code = told.Code
		}
		if code != coded.code || err.Error() != "d: no" {
			t.Errorf("%s: expected %s, got %s: %v", state, code, coded.code, err)
		}
	}
}

// A configuration that cannot be used is refused, and the password in it is not repeated.
func TestConfiguration(t *testing.T) {
	for _, config := range []string{
		`{}`, `{"dsn": "secret://x y"}`, `{"dsn": "host=x", "table": "a b"}`, `{"dsn": "host=x", "tabel": "a"}`,
		`{"dsn": "host=x", "connect_timeout": 0}`, `{"dsn": "postgresql://u:secret@h:port/d"}`,
	} {
		_, err := settingsOf(json.RawMessage(config))
		var invalid cdpplugin.ConfigInvalid
		if !errors.As(err, &invalid) || invalid.Hint == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: expected a refusal with a hint, got %v", config, err)
		}
	}
	good, err := settingsOf(json.RawMessage(`{"dsn": "host=x dbname=d", "table": "Some.Table"}`))
	if err != nil || good.table != `"Some"."Table"` {
		t.Errorf("got %v, %v", good.table, err)
	}
}
