package tftp

import "sync"

// idleWorkers is how many goroutines wait for work.
const idleWorkers = 8

// workers are goroutines for what may wait for a disk or another machine. Some stay for the next job: what a transfer
// needs of them is short, and a new goroutine would spend most of that on its stack.
type workers struct {
	jobs chan func()
	all  sync.WaitGroup

	mu   sync.Mutex
	idle int
	put  []func() // off, see later
}

func newWorkers() *workers { return &workers{jobs: make(chan func())} }

// do has a job done, at once.
func (w *workers) do(job func()) {
	select {
	case w.jobs <- job:
	default:
		w.all.Go(func() { w.work(job) })
	}
}

// later has a job done by whoever does another one next, or after flush. To wake a goroutine costs more than a short
// job.
func (w *workers) later(job func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put = append(w.put, job)
}

// flush has done what was put off.
func (w *workers) flush() {
	w.mu.Lock()
	some := len(w.put) > 0
	w.mu.Unlock()
	if some {
		w.do(func() {})
	}
}

// catchUp does what was put off.
func (w *workers) catchUp() {
	w.mu.Lock()
	put := w.put
	w.put = nil
	w.mu.Unlock()
	for _, job := range put {
		job()
	}
}

func (w *workers) work(job func()) {
	for {
		job()
		w.catchUp()
		w.mu.Lock()
		stays := w.idle < idleWorkers
		if stays {
			w.idle++
		}
		w.mu.Unlock()
		if !stays {
			return
		}
		job = <-w.jobs
		w.mu.Lock()
		w.idle--
		w.mu.Unlock()
		if job == nil {
			return
		}
	}
}

// close waits for all. Nothing may be done after it.
func (w *workers) close() {
	close(w.jobs)
	w.all.Wait()
}
