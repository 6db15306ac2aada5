set terminal svg noenhanced size 760,$height dynamic font "sans-serif,13" background "#ffffff"
set output "$output"
set title "CPU time a request, HTTPS, 16 connections (mod_hello on event = 1)"
set style fill solid 0.85 noborder
set yrange [-0.6:$top] reverse
set xrange [0:$right]
unset key
set border 0
unset xtics
set ytics scale 0 ($tics)
set lmargin 30
$$bars << END
$bars
END
plot $$bars using (0.5*$$2):1:(0.5*$$2):(0.36):3 with boxxyerror linecolor rgb variable, \
     $$bars using 2:1:4 with labels left offset 0.6,0
