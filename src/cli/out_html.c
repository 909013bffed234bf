// A page of its own: a lane for each actor, an arrow for each message from when it was sent to when
// its turn began, a bar for the turn. A click shows all of it and what it belongs to, as does a
// trace's id behind a # in the address. No other file is asked for: the page can be sent to somebody.
#include <inttypes.h>

#include "cli/cli.h"

static const char *const HEAD =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>troupe trace</title>\n"
    "<style>\n"
    ":root{--bg:#fff;--fg:#1c2330;--dim:#8a94a6;--line:#d9dee7;--msg:#2563eb;--ask:#0d9488;--bad:#"
    "dc2626;"
    "--hi:#f59e0b;--turn:#bfdbfe}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161d;--fg:#e5e9f0;--dim:#7b8698;--line:#"
    "2b3340;"
    "--msg:#60a5fa;--ask:#2dd4bf;--bad:#f87171;--hi:#fbbf24;--turn:#1e3a5f}}\n"
    "body{margin:0;background:var(--bg);color:var(--fg);font:13px/1.4 system-ui,sans-serif}\n"
    "header{position:sticky;top:0;background:var(--bg);border-bottom:1px solid "
    "var(--line);z-index:2}\n"
    "h1{font-size:15px;margin:10px 16px 2px}p{margin:0 16px 8px;color:var(--dim)}\n"
    "svg text{fill:var(--fg);font:12px system-ui,sans-serif}svg "
    ".t{fill:var(--dim);font-size:11px}\n"
    ".lane{stroke:var(--line)}.turn{fill:var(--turn);stroke:var(--msg)}.off{opacity:.2}\n"
    ".row{cursor:pointer}.row:hover text{font-weight:600}\n"
    "#info{position:fixed;right:12px;bottom:12px;max-width:46vw;max-height:60vh;overflow:auto;"
    "background:var(--bg);border:1px solid var(--line);border-radius:8px;padding:10px 14px;"
    "box-shadow:0 4px 20px #0003;display:none}\n"
    "#info pre{white-space:pre-wrap;word-break:break-word;margin:6px 0 0}\n"
    "</style></head><body>\n"
    "<header><h1>troupe trace</h1><p id=\"sum\"></p><svg id=\"names\"></svg></header>\n"
    "<svg id=\"all\"></svg><div id=\"info\"></div>\n"
    "<script>\nconst E=[";

static const char *const TAIL =
    "const N='http://www.w3.org/2000/svg',W=170,H=26,L=130,T=14;\n"
    "const el=(p,n,a,t)=>{const x=document.createElementNS(N,n);for(const k in "
    "a)x.setAttribute(k,a[k]);"
    "if(t!==undefined)x.textContent=t;p.appendChild(x);return x};\n"
    "const span=n=>n<1e4?n+'ns':n<1e7?(n/1e3).toFixed(1)+'us':n<1e10?(n/1e6).toFixed(1)+'ms':"
    "(n/1e9).toFixed(2)+'s';\n"
    "const lanes=[],at=n=>{n=n||'(runtime)';let i=lanes.indexOf(n);if(i<0)i=lanes.push(n)-1;return "
    "i};\n"
    "const rows=E.filter(e=>e.k!=='sent');\n"
    "for(const e of rows){if(e.f)at(e.f);if(e.a)at(e.a)}\n"
    "const x=i=>L+W/2+i*W,width=L+Math.max(1,lanes.length)*W,all=document.getElementById('all'),"
    "names=document.getElementById('names');\n"
    "all.setAttribute('width',width+380);all.setAttribute('height',rows.length*H+T*2);\n"
    "names.setAttribute('width',width+380);names.setAttribute('height',24);\n"
    "const d=el(all,'defs',{});for(const c of['msg','ask','bad']){const m=el(d,'marker',{id:c,"
    "viewBox:'0 0 8 8',refX:7,refY:4,markerWidth:8,markerHeight:8,orient:'auto'});"
    "el(m,'path',{d:'M0 0L8 4L0 8z',fill:'var(--'+c+')'})}\n"
    "lanes.forEach((n,i)=>{el(names,'text',{x:x(i),y:16,'text-anchor':'middle'},n);"
    "el(all,'line',{x1:x(i),x2:x(i),y1:0,y2:rows.length*H+T*2,class:'lane'})});\n"
    "const least=(all,of)=>all.reduce((t,e)=>Math.min(t,of(e)),Infinity);\n" // any number of them
    "const t0=rows.length?least(rows,e=>e.s||e.t):0,sum=document.getElementById('sum');\n"
    "sum.textContent=rows.length+' events, '+lanes.length+' actors, '+(rows.length?"
    "span(Math.round((rows[rows.length-1].t-t0))):'0')+'. Click on one for what it belongs to.';\n"
    "for(const c of C){const p=document.createElement('p');p.className='clock';p.textContent=c[0]."
    "toUpperCase()+c.slice(1)+'.';sum.after(p)}\n"
    "const gs=rows.map((e,i)=>{const y=T+i*H+H/2,g=el(all,'g',{class:'row'}),a=at(e.a),f=at(e.f),"
    "m=e.k==='message',bad=e.c<0||e.k==='drop',c=bad?'bad':e.q?'ask':'msg';\n"
    "el(g,'rect',{x:0,y:y-H/2,width:width+380,height:H,fill:'transparent'});\n"
    "el(g,'text',{x:8,y:y+4,class:'t'},'+'+span(Math.max(0,Math.round(e.t-t0))));\n"
    "if(m||e.k==='drop'){const x1=e.f?x(f):x(a)-W/2,x2=x(a),dash=e.r2?'4 3':'';\n"
    "if(x1===x2)el(g,'path',{d:`M${x1} ${y-6}h26v9h-20`,fill:'none',stroke:`var(--${c})`,"
    "'marker-end':`url(#${c})`,'stroke-dasharray':dash});\n"
    "else el(g,'line',{x1,x2:x2+(x2>x1?-5:5),y1:y,y2:y,stroke:`var(--${c})`,'stroke-width':1.5,"
    "'marker-end':`url(#${c})`,'stroke-dasharray':dash});\n"
    "if(m)el(g,'rect',{x:x2-4,y:y-7,width:8,height:14,rx:2,class:'turn'});\n"
    "const "
    "lx=x1===x2?x1+32:(x1+x2)/2;el(g,'text',{x:lx,y:y-4,'text-anchor':x1===x2?'start':'middle'},"
    "e.n+(e.c<0?' \\u2717':''));\n"
    "}else if(e.a){el(g,'circle',{cx:x(a),cy:y,r:4,fill:`var(--${bad||e.z?'bad':'hi'})`});}\n"
    "el(g,'text',{x:width+6,y:y+4,class:'t'},m?`wait ${span(e.w)}  run "
    "${span(e.u)}`:e.x.slice(23));\n"
    "g.addEventListener('click',()=>show(e));return g});\n"
    "const same=(e,o)=>e.i&&o.i===e.i,info=document.getElementById('info');let on=null;\n"
    "const spans=new Map(E.filter(e=>e.sp).map(e=>[e.o+e.sp,e])),"
    "cause=e=>spans.get((e.r2?e.fo:e.o)+e.pa);\n"
    "const depth=e=>{let n=0;for(let i=0,c=cause(e);c&&i<99;i++,c=cause(c))n+=c.k!=='sent';return "
    "n};\n"
    "const chain=e=>{const "
    "all=rows.filter(o=>same(e,o)&&o.k==='message'),t=least(all,o=>o.s);\n"
    "return all.map(o=>`+${span(Math.round(o.s-t))} ${'  '.repeat(depth(o))}${o.f} "
    "${o.q?'=>':'->'} ${o.a}"
    "  ${o.n}  wait ${span(o.w)} run ${span(o.u)}`).join('\\n')};\n"
    "function show(e){on=on===e?null:e;info.style.display=on?'block':'none';"
    "rows.forEach((o,i)=>gs[i].classList.toggle('off',!!on&&o!==e&&!same(e,o)));if(!on)return;\n"
    "info.textContent='';const b=document.createElement('b');b.textContent=e.k+' "
    "'+e.n;info.append(b);\n"
    "const p=document.createElement('pre');p.textContent=e.x+(e.i?`\\ntrace ${e.i} span ${e.sp} "
    "parent ${e.pa}`:'')+(e.b?'\\n'+JSON.stringify(JSON.parse(e.b),null,2):'')+"
    "(e.i?'\\n\\n'+chain(e):'');info.append(p)}\n"
    "const first=location.hash&&rows.find(e=>e.i===location.hash.slice(1));if(first)show(first);\n"
    "document.body.dataset.rows=rows.length;\n"
    "</script></body></html>\n";

static const char *kind_of(const tr_trace_event *e)
{
    switch (e->kind) {
    case TR_TRACE_MESSAGE:
        return "message";
    case TR_TRACE_SENT:
        return "sent";
    case TR_TRACE_DROP:
        return "drop";
    case TR_TRACE_START:
        return "start";
    case TR_TRACE_END:
        return "end";
    default:
        return "fact";
    }
}

static void put_text(FILE *out, const char *key, const char *text)
{
    fprintf(out, ",%s:", key);
    cli_json_text(out, text);
}

static void put_body(FILE *out, const tr_trace_event *e)
{
    tr_val body;
    char *json = NULL;
    if (e->body != NULL && tr_val_unpack(e->body, e->body_size, &body) == 0 &&
        tr_json_print(body, &json) == 0)
        put_text(out, "b", json);
    tr_free(json);
}

// Times are to the microsecond from here on: a number of JavaScript's has no room for more.
static void put_event(FILE *out, const tr_trace_event *e, uint64_t start)
{
    char line[512];
    bool bad = (e->kind == TR_TRACE_END || e->kind == TR_TRACE_REAPED) &&
               e->reason.kind > TR_REASON_SHUTDOWN;
    tr_trace_line(e, line, sizeof line);
    fprintf(out,
            "\n{k:\"%s\",t:%" PRIu64 ",s:%" PRIu64 ",w:%" PRIu64 ",u:%" PRIu64 ",c:%d,q:%d,"
            "r2:%d,z:%d",
            kind_of(e), e->time - start, e->sent - start, e->wait, e->run,
            e->kind == TR_TRACE_MESSAGE ? e->code : 0,
            (e->flags & (TR_TRACE_ASK | TR_TRACE_ANSWER)) != 0, (e->flags & TR_TRACE_REMOTE) != 0,
            bad);
    if (e->trace != 0)
        fprintf(out,
                ",i:\"%016" PRIx64 "\",sp:%" PRIu32 ",pa:%" PRIu32 ",o:\"%" PRIx64
                ".\",fo:\"%" PRIx64 ".\"",
                e->trace, e->span, e->parent, e->actor.node, e->from.node);
    put_text(out, "a", e->actor_name);
    put_text(out, "f", e->from_name);
    put_text(out, "n", e->name);
    put_text(out, "x", line);
    put_body(out, e);
    fputs("},", out);
}

static void put_clocks(FILE *out, clocks *c)
{
    char note[256];
    fputs("\n];\nconst C=[", out);
    for (; clocks_next(c, note, sizeof note) != NULL; fputc(',', out))
        cli_json_text(out, note);
    fputs("];\n", out);
}

void out_html(FILE *out, const events *all, clocks *c)
{
    uint64_t start = UINT64_MAX;
    for (size_t i = 0; i < all->count; i++)
        if (all->all[i].sent < start && all->all[i].kind != TR_TRACE_GAP)
            start = all->all[i].sent;
    fputs(HEAD, out);
    for (size_t i = 0; i < all->count; i++)
        if (all->all[i].kind != TR_TRACE_GAP)
            put_event(out, &all->all[i], start);
    put_clocks(out, c);
    fputs(TAIL, out);
}
