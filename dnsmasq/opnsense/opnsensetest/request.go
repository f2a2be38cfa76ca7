package opnsensetest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// request is what an endpoint is asked.
type request struct {
	post   bool
	body   map[string]any
	params []string
	query  url.Values
}

// readBody is what PHP has in $_POST: the body of JSON or of a form; nothing of any other type. readable is false for
// JSON without a body.
func readBody(r *http.Request) (body map[string]any, readable bool) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, true
	}
	switch strings.ToLower(strings.ReplaceAll(r.Header.Get("Content-Type"), " ", "")) {
	case "application/json", "application/json;charset=utf-8":
		if len(raw) == 0 {
			return nil, false
		}
		if json.Unmarshal(raw, &body) != nil {
			return nil, true
		}
		return body, true
	case "application/x-www-form-urlencoded", "application/x-www-form-urlencoded;charset=utf-8":
		values, err := url.ParseQuery(string(raw))
		if err != nil {
			return nil, true
		}
		return nested(values), true
	}
	return nil, true
}

// nested makes objects of names like boot[filename].
func nested(values url.Values) map[string]any {
	top := map[string]any{}
	for name, list := range values {
		names := strings.Split(strings.ReplaceAll(name, "]", ""), "[")
		at := top
		for _, n := range names[:len(names)-1] {
			next, isObject := at[n].(map[string]any)
			if !isObject {
				next = map[string]any{}
				at[n] = next
			}
			at = next
		}
		at[names[len(names)-1]] = list[len(list)-1]
	}
	return top
}

// root is the object under the key that an action wants; there is false where it is not sent. wrong: it is no object,
// and PHP falls over.
func (q request) root(name string) (fields map[string]string, there, wrong bool) {
	value, there := q.body[name]
	if !there || !q.post {
		return nil, false, false
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return nil, true, true
	}
	fields = map[string]string{}
	flatten("", object, fields)
	return fields, true, false
}

// flatten puts the texts of an object into fields, those of objects in it as "option_data.routers".
func flatten(prefix string, object map[string]any, fields map[string]string) {
	for name, value := range object {
		switch v := value.(type) {
		case map[string]any:
			flatten(prefix+name+".", v, fields)
		case string:
			fields[prefix+name] = v
		case bool:
			fields[prefix+name] = map[bool]string{true: "1"}[v]
		case float64:
			fields[prefix+name] = strconv.FormatFloat(v, 'f', -1, 64)
		case nil:
			fields[prefix+name] = ""
		}
	}
}

// search are the rows that a request asks for, as a page of a table.
func (q request) search(rows []m) answer {
	ask := func(name string) string {
		if v, there := q.body[name]; there {
			fields := map[string]string{}
			flatten("", map[string]any{name: v}, fields)
			return fields[name]
		}
		return q.query.Get(name)
	}
	found := []m{}
	for _, row := range rows {
		if matches(row, strings.Fields(ask("searchPhrase"))) {
			found = append(found, row)
		}
	}
	total := len(found)
	count, err := strconv.Atoi(ask("rowCount"))
	if err != nil || count <= 0 {
		count = 9999
	}
	page, err := strconv.Atoi(ask("current"))
	if err != nil || page < 1 {
		page = 1
	}
	start := min((page-1)*count, total)
	found = found[start:min(start+count, total)]
	return ok(m{"rows": found, "rowCount": len(found), "total": total, "current": page})
}

// matches reports whether each word is in some field.
func matches(row m, words []string) bool {
	for _, word := range words {
		there := false
		for _, value := range row {
			text, _ := value.(string)
			there = there || strings.Contains(strings.ToLower(text), strings.ToLower(word))
		}
		if !there {
			return false
		}
	}
	return true
}
