package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// Mail is the job to send a mail. What is in it stands in the database in the clear:
// nothing about the person.
type Mail struct {
	StoreID uuid.UUID `json:"store_id"`
	MailID  uuid.UUID `json:"mail_id"`
}

// Kind is the stored name of the job; never rename.
func (Mail) Kind() string { return "mail" }

// Impersonation is the job to note that a session of the team as a customer is over.
type Impersonation struct {
	StoreID         uuid.UUID `json:"store_id"`
	ImpersonationID uuid.UUID `json:"impersonation_id"`
}

// Kind is the stored name of the job; never rename.
func (Impersonation) Kind() string { return "impersonation" }

// Config says what a queue works with.
type Config struct {
	Pool *pgxpool.Pool
	// SendMail does a [Mail]. The attempt counts from 1. An error, which must not
	// say anything about a person since it is stored, has it tried again; nil is
	// the end of the job. Without it jobs are only written down.
	SendMail func(ctx context.Context, m Mail, attempt int) error
	// EndImpersonation does an [Impersonation], in the same way; it is required with
	// SendMail.
	EndImpersonation func(ctx context.Context, i Impersonation) error
	// Wait is the pause after so many failed attempts; nil for [Pause].
	Wait func(failures int) time.Duration
	// Logger hears of failures; nil discards.
	Logger *slog.Logger
}

// Queue writes jobs down and runs them.
type Queue struct {
	client *river.Client[pgx.Tx]
	works  bool
}

const (
	schema = "ops"
	// workers bounds how many jobs run at once in a process.
	workers = 8
	// timeout bounds an attempt; one that was cut short by the end of the process is
	// made again after rescue.
	timeout = time.Minute
	rescue  = 2 * time.Minute
	// attempts bounds how often a job is tried; with [Pause] that takes two days.
	attempts = 12
	// migrationLock lets one process at a time prepare the tables.
	migrationLock = 7_301_842_915_003
)

// Pause is how long to wait after so many failed attempts.
func Pause(failures int) time.Duration {
	schedule := []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour}
	return schedule[min(max(failures, 1), len(schedule))-1]
}

// Migrate prepares the tables. Any number of processes may call it at once.
func Migrate(ctx context.Context, pool *pgxpool.Pool) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("prepare the tables of jobs: %w", err)
		}
	}()
	// River's steps each need a transaction of their own, so the lock is a session's.
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
		return err
	}
	defer func() {
		_, unlockErr := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)
		err = errors.Join(err, unlockErr)
	}()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: schema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// New makes a queue on tables that [Migrate] prepared.
func New(c Config) (*Queue, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Wait == nil {
		c.Wait = Pause
	}
	settings := &river.Config{
		Schema: schema, Logger: atWarn(c.Logger), JobTimeout: timeout, RescueStuckJobsAfter: rescue, MaxAttempts: attempts,
		RetryPolicy: policy{c.Wait},
	}
	if c.SendMail != nil {
		settings.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}}
		settings.Workers = river.NewWorkers()
		err := river.AddWorkerSafely(settings.Workers, river.WorkFunc(func(ctx context.Context, job *river.Job[Mail]) error {
			return c.SendMail(ctx, job.Args, job.Attempt)
		}))
		if err == nil {
			err = river.AddWorkerSafely(settings.Workers, river.WorkFunc(func(ctx context.Context, job *river.Job[Impersonation]) error {
				return c.EndImpersonation(ctx, job.Args)
			}))
		}
		if err != nil {
			return nil, fmt.Errorf("make the queue of jobs: %w", err)
		}
	}
	client, err := river.NewClient(riverpgxv5.New(c.Pool), settings)
	if err != nil {
		return nil, fmt.Errorf("make the queue of jobs: %w", err)
	}
	return &Queue{client: client, works: c.SendMail != nil}, nil
}

// policy is River's view of the pauses.
type policy struct {
	wait func(failures int) time.Duration
}

func (p policy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(p.wait(len(job.Errors) + 1))
}

// atWarn hides what River tells when nothing is wrong.
func atWarn(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// AddMail writes a job down. It is there when tx commits.
func (q *Queue) AddMail(ctx context.Context, tx pgx.Tx, m Mail) error {
	if _, err := q.client.InsertTx(ctx, tx, m, nil); err != nil {
		return fmt.Errorf("write down the job to send mail %s: %w", m.MailID, err)
	}
	return nil
}

// AddImpersonation writes a job down that is to be done at a time.
func (q *Queue) AddImpersonation(ctx context.Context, tx pgx.Tx, i Impersonation, at time.Time) error {
	if _, err := q.client.InsertTx(ctx, tx, i, &river.InsertOpts{ScheduledAt: at}); err != nil {
		return fmt.Errorf("write down the job to end impersonation %s: %w", i.ImpersonationID, err)
	}
	return nil
}

// stopping bounds how long Run waits for jobs that run when ctx has ended. One that
// is cut short is tried again.
const stopping = 10 * time.Second

// Run runs jobs until ctx ends; then it returns nil.
func (q *Queue) Run(ctx context.Context) error {
	if !q.works {
		<-ctx.Done()
		return nil
	}
	// River takes the end of its context as the order to stop at once.
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("run jobs: %w", err)
	}
	<-ctx.Done()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
	defer cancel()
	if err := q.client.Stop(patience); err != nil {
		hurry, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopping)
		defer cancel()
		if err := q.client.StopAndCancel(hurry); err != nil {
			return fmt.Errorf("stop jobs: %w", err)
		}
	}
	return nil
}
