package recorder

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/prometheus/client_golang/prometheus"

	"pxeagent/agent/boot"
	"pxeagent/agent/guard"
)

// Webhook is where each boot that ended is posted to.
type Webhook struct {
	URL    *url.URL // nil: nowhere. It may hold what is secret, so only its host is ever shown
	Secret string   // "": posts are not signed

	// Shorter in tests; 0: the constants below.
	limit, pause time.Duration
}

// Headers of a post. The signature is "sha256=" and the HMAC-SHA256, in hex, of the timestamp, a dot and the body, with
// the secret as key.
const (
	HeaderEvent     = "X-Pxeagent-Event"     // "boot"
	HeaderDelivery  = "X-Pxeagent-Delivery"  // the boot's ID, the same in each try
	HeaderTimestamp = "X-Pxeagent-Timestamp" // of the try, Unix time in seconds
	HeaderSignature = "X-Pxeagent-Signature"
)

const (
	hookQueue = 256              // boots that wait to be posted
	hookTries = 5                // for each
	hookLimit = 10 * time.Second // for each try
	hookPause = time.Second      // after the first try; twice as long after each one
)

// Outcomes of a post: the values of a metric's label.
const (
	hookOK      = "ok"
	hookFailed  = "failed"
	hookDropped = "dropped"
)

// webhook posts boots one after another.
type webhook struct {
	Webhook
	queue      chan boot.Boot
	client     *http.Client
	deliveries *prometheus.CounterVec
	guard      *guard.Guard
	log        *slog.Logger
}

func newWebhook(w Webhook, deliveries *prometheus.CounterVec, g *guard.Guard, log *slog.Logger) *webhook {
	if w.limit == 0 {
		w.limit = hookLimit
	}
	if w.pause == 0 {
		w.pause = hookPause
	}
	return &webhook{
		Webhook: w, queue: make(chan boot.Boot, hookQueue), deliveries: deliveries, guard: g, log: log,
		client: &http.Client{
			Timeout: w.limit,
			// A redirect would post to where nobody meant it to go.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// send never waits: what finds no room is dropped and counted.
func (w *webhook) send(b boot.Boot) {
	select {
	case w.queue <- b:
	default:
		w.count(hookDropped)
	}
}

func (w *webhook) count(outcome string) { w.deliveries.WithLabelValues(outcome).Inc() }

// run posts until ctx ends. What waits then is dropped and counted.
func (w *webhook) run(ctx context.Context) error {
	for {
		select {
		case b := <-w.queue:
			if err := w.guard.Do(guard.Webhook, func() error { w.deliver(ctx, b); return nil }); err != nil {
				w.count(hookFailed)
			}
		case <-ctx.Done():
			for len(w.queue) > 0 {
				<-w.queue
				w.count(hookDropped)
			}
			return nil
		}
	}
}

// deliver tries until the boot is taken, refused, or was tried often enough.
func (w *webhook) deliver(ctx context.Context, b boot.Boot) {
	body, err := json.Marshal(b)
	if err != nil {
		panic(err) // nothing in a boot can fail
	}
	tries := 0
	post := func() (struct{}, error) {
		tries++
		err := w.post(ctx, b.ID, body)
		var no refusal
		if errors.As(err, &no) && !no.later() {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}
	pause := &backoff.ExponentialBackOff{InitialInterval: w.pause, Multiplier: 2, MaxInterval: time.Minute}
	_, err = backoff.Retry(
		ctx, post, backoff.WithBackOff(pause), backoff.WithMaxTries(hookTries), backoff.WithMaxElapsedTime(0),
	)
	switch {
	case err == nil:
		w.count(hookOK)
	case ctx.Err() != nil:
		w.count(hookDropped)
	default:
		w.count(hookFailed)
		w.log.Warn("a boot could not be posted to the webhook", "host", w.URL.Host, "id", b.ID, "tries", tries, "err", err)
	}
}

// refusal is an answer that is not 2xx.
type refusal int

func (r refusal) Error() string { return fmt.Sprintf("answered with status %d", int(r)) }

// later: it may be taken another time.
func (r refusal) later() bool {
	return r >= 500 || r == http.StatusTooManyRequests || r == http.StatusRequestTimeout
}

// post is one try. Its errors do not hold the URL.
func (w *webhook) post(ctx context.Context, id string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL cannot be asked")
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "pxeagent")
	req.Header.Set(HeaderEvent, "boot")
	req.Header.Set(HeaderDelivery, id)
	req.Header.Set(HeaderTimestamp, at)
	if w.Secret != "" {
		req.Header.Set(HeaderSignature, Sign(w.Secret, at, body))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("posting: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusal(resp.StatusCode)
	}
	return nil
}

// Sign is the signature of a post: see HeaderSignature.
func Sign(secret, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}
