function handle(r)
    r.content_type = "text/html; charset=utf-8"
    r:puts("Hello World!")
    return apache2.OK
end
