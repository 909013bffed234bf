// Go's side of `./dev bench actors`: goroutines and channels, as actors.sh describes it. A channel
// is unbuffered where a goroutine waits for the answer anyway, else it has room for 1024.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	room     = 1024
	senders  = 100
	sinks    = 60
	ringSize = 503
	bigSize  = 120
	branches = 10
)

func rate(count int, work func()) float64 {
	start := time.Now()
	work()
	return float64(count) / (float64(time.Since(start).Nanoseconds()) / 1e3)
}

func pingpong(count, loops int) float64 {
	ping, pong := make(chan struct{}), make(chan struct{})
	go func() {
		for range ping {
			pong <- struct{}{}
		}
	}()
	return rate(count, func() {
		for i := 0; i < count; i++ {
			ping <- struct{}{}
			<-pong
		}
	})
}

func hop(in, out, done chan int) {
	for left := range in {
		if left == 0 {
			done <- left
		} else {
			out <- left - 1
		}
	}
}

func ring(count, loops int) float64 {
	first, done := make(chan int), make(chan int)
	in := first
	for i := 1; i < ringSize; i++ {
		out := make(chan int)
		go hop(in, out, done)
		in = out
	}
	go hop(in, first, done)
	return rate(count, func() {
		first <- count - 1
		<-done
	})
}

func sink(in chan int, count int, done chan int) {
	for i := 0; i < count; i++ {
		<-in
	}
	done <- count
}

func fanInFrom(senders, count int) float64 {
	in, done := make(chan int, room), make(chan int)
	go sink(in, count/senders*senders, done)
	return rate(count, func() {
		for i := 0; i < senders; i++ {
			go func() {
				for i := 0; i < count/senders; i++ {
					in <- i
				}
			}()
		}
		<-done
	})
}

func counting(count, loops int) float64 { return fanInFrom(1, count) }
func fanin(count, loops int) float64    { return fanInFrom(senders, count) }

func forkjoin(count, loops int) float64 {
	var in [sinks]chan int
	done := make(chan int)
	for i := range in {
		in[i] = make(chan int, room)
		go sink(in[i], count/sinks, done)
	}
	return rate(count, func() {
		for i := 0; i < count/sinks*sinks; i++ {
			in[i%sinks] <- i
		}
		for range in {
			<-done
		}
	})
}

func create(count, loops int) float64 {
	var ended sync.WaitGroup
	return rate(count, func() {
		ended.Add(count / loops * loops)
		for i := 0; i < loops; i++ {
			go func() {
				for i := 0; i < count/loops; i++ {
					in := make(chan int, 1)
					go func() {
						<-in
						ended.Done()
					}()
					in <- i
				}
			}()
		}
		ended.Wait()
	})
}

type chat struct{ from chan chat } // nil: the pong

func chatter(self chan chat, all []chan chat, random uint32, count int, done chan int) {
	ping := func() {
		random = random*1103515245 + 12345
		all[(random>>16)%bigSize] <- chat{self}
	}
	ping()
	for msg := range self {
		if msg.from != nil {
			msg.from <- chat{}
		} else if count--; count > 0 {
			ping()
		} else {
			done <- 0
		}
	}
}

func big(count, loops int) float64 {
	all := make([]chan chat, bigSize)
	for i := range all {
		all[i] = make(chan chat, room)
	}
	done := make(chan int)
	return rate(count, func() {
		for i := range all {
			go chatter(all[i], all, uint32(i), count/2/bigSize, done)
		}
		for range all {
			<-done
		}
	})
}

func tree(first, leaves int, up chan int) {
	if leaves == 1 {
		up <- first
		return
	}
	down, sum := make(chan int), 0
	for i := 0; i < branches; i++ {
		go tree(first+i*(leaves/branches), leaves/branches, down)
	}
	for i := 0; i < branches; i++ {
		sum += <-down
	}
	up <- sum
}

func skynet(count, loops int) float64 {
	start := time.Now()
	up := make(chan int)
	go tree(0, count, up)
	if <-up != count*(count-1)/2 {
		panic("wrong sum")
	}
	return float64(time.Since(start).Nanoseconds()) / 1e6
}

type request struct {
	value int
	reply chan int
}

func ask(count, loops int) float64 {
	server, reply := make(chan request), make(chan int)
	go func() {
		for r := range server {
			r.reply <- r.value + 1
		}
	}()
	return rate(count, func() {
		for i := 0; i < count; {
			server <- request{i, reply}
			i = <-reply
		}
	})
}

func rss() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}

func idle(count, loops int) float64 {
	before := rss()
	var started sync.WaitGroup
	started.Add(count)
	for i := 0; i < count; i++ {
		in := make(chan int)
		go func() {
			started.Done()
			<-in
		}()
	}
	started.Wait()
	return float64(rss()-before) / float64(count)
}

var figures = map[string]func(count, loops int) float64{
	"pingpong": pingpong, "counting": counting, "ring": ring, "fanin": fanin, "create": create,
	"forkjoin": forkjoin, "big": big, "skynet": skynet, "ask": ask, "idle": idle,
}

func main() {
	figure := figures[os.Args[1]]
	if figure == nil {
		os.Exit(77)
	}
	loops, _ := strconv.Atoi(os.Args[2])
	count, _ := strconv.Atoi(os.Args[3])
	runtime.GOMAXPROCS(loops)
	fmt.Printf("%s\t%.6g\n", os.Args[1], figure(count, loops))
}
