package tftp

import "sync"

// idleWorkers is how many goroutines wait for work.
const idleWorkers = 8

// workers are goroutines for what may wait for a disk or another machine. Some stay for the next job: what a transfer
// needs of them is short, and a new goroutine would spend most of that on its stack.
type workers struct {
	jobs chan func()
	mu   sync.Mutex
	idle int
	all  sync.WaitGroup
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

func (w *workers) work(job func()) {
	for {
		job()
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
