%% Erlang's side of `./dev bench link`, as link.sh describes it: two nodes on this host, which talk
%% over TCP as Erlang's always do.
-module(link_erlang).
-export([main/0, echo/0, count/2]).

-define(WARM_UP, 1000).
-define(WINDOW, 1000).

main() ->
    [Figure, Count] = init:get_plain_arguments(),
    {ok, Peer, Node} = peer:start_link(#{name => peer:random_name(), host => "127.0.0.1",
                                         longnames => true,
                                         args => ["-start_epmd", "false", "-setcookie",
                                                  atom_to_list(erlang:get_cookie())]}),
    {module, _} = erpc:call(Node, code, load_abs, [filename:rootname(code:which(?MODULE))]),
    figure(list_to_atom(Figure), list_to_integer(Count), Node),
    peer:stop(Peer),
    erlang:halt(0).

figure(rtt, Count, Node) ->
    Pid = spawn(Node, ?MODULE, echo, []),
    [trip(Pid) || _ <- lists:seq(1, ?WARM_UP)],
    Samples = lists:sort([trip(Pid) || _ <- lists:seq(1, Count)]),
    [emit(Key, lists:nth(max(1, (Count - 1) * P div 100), Samples) / 1.0e3)
     || {Key, P} <- [{"rtt_p50_us", 50}, {"rtt_p99_us", 99}]];
figure(oneway, Count, Node) -> emit("oneway_kps", pour(Node, Count, #{hello => <<"world">>}) / 1.0e3);
figure(large64k, Count, Node) ->
    Bytes = binary:copy(<<"x">>, 65536),
    emit("mbps_64k", pour(Node, Count, Bytes) * 65536 / 1.0e6);
figure(pipeline, Count, Node) ->
    Pid = spawn(Node, ?MODULE, echo, []),
    [_, Rate] = [rate(Count, fun() -> ask(Pid, ?WINDOW, Count) end) || _ <- [1, 2]],
    emit("pipeline_kps", Rate / 1.0e3).

emit(Key, Value) -> io:format("~s\t~.6g~n", [Key, Value * 1.0]).

rate(Count, Work) ->
    Start = erlang:monotonic_time(nanosecond),
    Work(),
    Count * 1.0e9 / (erlang:monotonic_time(nanosecond) - Start).

trip(Pid) ->
    Start = erlang:monotonic_time(nanosecond),
    Pid ! {self(), #{hello => <<"world">>}},
    receive #{response := _} -> ok end,
    erlang:monotonic_time(nanosecond) - Start.

echo() -> receive {From, #{hello := _}} -> From ! #{response => <<"Hello back!">>}, echo() end.

ask(_, _, 0) -> ok;
ask(Pid, Window, Left) ->
    Now = min(Window, Left),
    [Pid ! {self(), #{hello => <<"world">>}} || _ <- lists:seq(1, Now)],
    refill(Pid, Left - Now, Now).

refill(_, 0, 0) -> ok;
refill(Pid, Left, Flying) ->
    receive #{response := _} -> ok end,
    case Left of
        0 -> refill(Pid, 0, Flying - 1);
        _ -> Pid ! {self(), #{hello => <<"world">>}}, refill(Pid, Left - 1, Flying)
    end.

%% Two rounds, and the second one counts.
pour(Node, Count, Message) ->
    Pid = spawn(Node, ?MODULE, count, [self(), Count]),
    [_, Rate] = [rate(Count, fun() -> pour_out(Pid, Message, Count), receive done -> ok end end)
                 || _ <- [1, 2]],
    Rate.

pour_out(_, _, 0) -> ok;
pour_out(Pid, Message, N) -> Pid ! Message, pour_out(Pid, Message, N - 1).

count(From, Count) -> take(Count), From ! done, count(From, Count).

take(0) -> ok;
take(N) -> receive _ -> take(N - 1) end.
