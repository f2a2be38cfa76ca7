package ipxe
import ("testing";"net/netip";"os";"fmt";"time")
func TestShow(t *testing.T){
 l,err:=NewLibrary(Config{Root:os.Getenv("R"),NextServer:netip.MustParseAddr("10.0.2.2"),HTTP:Base(netip.MustParseAddrPort("10.0.2.2:18080")),Menu:MenuConfig{Title:"Network boot",Timeout:30*time.Second}})
 if err!=nil{t.Fatal(err)}
 s,err:=l.Script(); fmt.Println(string(s),err); for _,f:=range Lint(s){fmt.Println(f)}
 fmt.Println(string(l.embedded())); fmt.Println(string(l.autoexec()))
}
