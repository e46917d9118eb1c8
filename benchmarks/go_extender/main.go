// A scheduler extender as one would write it in Go with net/http and encoding/json: the floor that ours is measured against.
// It decides far less than ours does, on two numbers per node.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
)

type container struct {
	Resources struct {
		Requests map[string]string `json:"requests"`
	} `json:"resources"`
}

type pod struct {
	Metadata struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		UID       string            `json:"uid"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Containers []container `json:"containers"`
	} `json:"spec"`
}

type extenderArgs struct {
	Pod       *pod
	Nodes     *json.RawMessage
	NodeNames *[]string
}

type filterResult struct {
	Nodes                      *json.RawMessage
	NodeNames                  *[]string
	FailedNodes                map[string]string
	FailedAndUnresolvableNodes map[string]string
	Error                      string
}

type hostPriority struct {
	Host  string
	Score int64
}

type use struct{ cpu, memory float64 }

var nodes = map[string]use{}

func read(w http.ResponseWriter, r *http.Request) (*extenderArgs, bool) {
	body, err := io.ReadAll(r.Body)
	args := &extenderArgs{}
	if err == nil {
		err = json.Unmarshal(body, args)
	}
	if err != nil || args.NodeNames == nil {
		http.Error(w, "no names", http.StatusBadRequest)
		return nil, false
	}
	return args, true
}

func write(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

func filter(w http.ResponseWriter, r *http.Request) {
	args, ok := read(w, r)
	if !ok {
		return
	}
	kept := make([]string, 0, len(*args.NodeNames))
	failed := map[string]string{}
	for _, name := range *args.NodeNames {
		if found, known := nodes[name]; known && found.memory > 0.95 {
			failed[name] = "memory"
		} else {
			kept = append(kept, name)
		}
	}
	write(w, filterResult{NodeNames: &kept, FailedNodes: failed, FailedAndUnresolvableNodes: map[string]string{}})
}

func prioritize(w http.ResponseWriter, r *http.Request) {
	args, ok := read(w, r)
	if !ok {
		return
	}
	scores := make([]hostPriority, 0, len(*args.NodeNames))
	for _, name := range *args.NodeNames {
		found := nodes[name]
		scores = append(scores, hostPriority{name, int64(10 * (1 - max(found.cpu, found.memory)))})
	}
	write(w, scores)
}

func main() {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for i := 0; i < count; i++ {
		nodes[fmt.Sprintf(os.Args[2], i)] = use{float64(i%70) / 100, float64(i%90) / 100}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/scheduler/filter", filter)
	http.HandleFunc("/scheduler/prioritize", prioritize)
	log.Fatal(http.Serve(listener, nil))
}
