"""Eight product reviews in each language, with the label of each, and the legacy encodings that such files come in."""

# fmt: off
REVIEWS = {
    "Turkish": ("olumlu,olumsuz,güzel,kötü", """Kargo çok hızlı geldi, paketleme de gayet iyiydi
Ürün beklediğim gibi çıkmadı, iade edeceğim
Fiyatına göre oldukça başarılı bir telefon
Müşteri hizmetleri hiç ilgilenmedi, şikâyetçiyim
Çocuğum çok sevdi, herkese öneririm
İki gün içinde bozuldu, sakın almayın
Kumaşı yumuşak ve rengi tam fotoğraftaki gibi
Bir daha bu mağazadan alışveriş yapmam"""),
    "Greek": ("θετικό,αρνητικό", """Η παράδοση ήταν πολύ γρήγορη και η συσκευασία άψογη
Το προϊόν δεν λειτουργεί όπως περίμενα
Εξαιρετική ποιότητα για την τιμή του
Η εξυπηρέτηση πελατών ήταν απαράδεκτη
Το αγόρασα για τον γιο μου και ενθουσιάστηκε
Χάλασε μέσα σε δύο ημέρες, μην το αγοράσετε
Το ύφασμα είναι μαλακό και το χρώμα όμορφο
Δεν θα ξαναψωνίσω ποτέ από αυτό το κατάστημα"""),
    "Russian": ("хорошо,плохо", """Доставка была очень быстрой, упаковка отличная
Товар не соответствует описанию, буду возвращать
За эти деньги вполне приличный телефон
Служба поддержки так и не ответила на письмо
Ребёнку очень понравилось, всем советую
Сломался через два дня, не покупайте
Ткань мягкая, цвет точно как на фотографии
Больше никогда не закажу в этом магазине"""),
    "Ukrainian": ("добре,погано", """Доставка була дуже швидкою, упаковка чудова
Товар не відповідає опису, буду повертати
За ці гроші цілком пристойний телефон
Служба підтримки так і не відповіла на лист
Дитині дуже сподобалося, усім раджу
Зламався через два дні, не купуйте його
Тканина м'яка, колір точно як на світлині
Більше ніколи не замовлятиму в цій крамниці"""),
    "Bulgarian": ("добре,лошо", """Доставката беше много бърза и опаковката отлична
Продуктът не отговаря на описанието, ще го върна
За тази цена телефонът е напълно приличен
Никой не ми отговори от отдела за клиенти
Детето ми много го хареса, препоръчвам го
Счупи се след два дни, не го купувайте
Платът е мек, а цветът е точно като на снимката
Никога повече няма да пазарувам от този магазин"""),
    "Serbian": ("добро,лоше", """Испорука је била веома брза, а паковање одлично
Производ није онакав какав сам очекивао
За ове паре сасвим пристојан телефон
Нико ми није одговорио на жалбу
Детету се много допало, свима препоручујем
Покварио се после два дана, немојте куповати
Тканина је мекана, боја баш као на слици
Никада више нећу куповати у овој радњи"""),
    "Polish": ("dobrze,źle", """Dostawa była bardzo szybka, opakowanie świetne
Produkt nie działa tak, jak się spodziewałem
Za tę cenę całkiem porządny telefon
Obsługa klienta w ogóle się nie odezwała
Dziecku bardzo się spodobało, wszystkim polecam
Zepsuł się po dwóch dniach, nie kupujcie go
Materiał jest miękki, a kolor zgodny ze zdjęciem
Już nigdy więcej nie zamówię w tym sklepie"""),
    "Czech": ("dobré,špatné", """Doručení bylo velmi rychlé a balení výborné
Výrobek nefunguje tak, jak jsem čekal
Za tyhle peníze docela slušný telefon
Zákaznická podpora se vůbec neozvala
Dítěti se to moc líbilo, všem doporučuji
Po dvou dnech se rozbil, nekupujte ho
Látka je měkká a barva přesně jako na fotce
Už nikdy si v tomto obchodě nic neobjednám"""),
    "Slovak": ("dobré,zlé", """Doručenie bolo veľmi rýchle a balenie výborné
Výrobok nefunguje tak, ako som čakal
Za tieto peniaze celkom slušný telefón
Zákaznícka podpora sa vôbec neozvala
Dieťaťu sa to veľmi páčilo, všetkým odporúčam
Po dvoch dňoch sa pokazil, nekupujte ho
Látka je mäkká a farba presne ako na fotke
Už nikdy si v tomto obchode nič neobjednám"""),
    "Hungarian": ("jó,rossz,kiváló,pocsék", """A szállítás nagyon gyors volt, a csomagolás kitűnő
A termék nem úgy működik, ahogy vártam
Ezért az árért egészen jó kis telefon
Az ügyfélszolgálat egyáltalán nem válaszolt
A gyereknek nagyon tetszett, mindenkinek ajánlom
Két nap múlva elromlott, ne vegyék meg
Az anyaga puha, a színe pont olyan, mint a képen
Soha többé nem rendelek ebből az üzletből, őszintén"""),
    "Romanian": ("bun,rău", """Livrarea a fost foarte rapidă şi ambalajul perfect
Produsul nu funcţionează aşa cum mă aşteptam
Pentru preţul acesta e un telefon destul de bun
Serviciul pentru clienţi nu mi-a răspuns deloc
Copilului i-a plăcut mult, îl recomand tuturor
S-a stricat după două zile, nu îl cumpăraţi
Materialul este moale, iar culoarea ca în poză
Nu voi mai comanda niciodată din acest magazin, vă asigur"""),
    "Croatian": ("dobro,loše", """Dostava je bila vrlo brza, a pakiranje odlično
Proizvod nije onakav kakav sam očekivao
Za ove novce sasvim pristojan mobitel, može proći
Nitko mi nije odgovorio na žalbu
Djetetu se jako svidjelo, svima preporučujem
Pokvario se nakon dva dana, nemojte kupovati
Tkanina je mekana, a boja baš kao na slici
Nikad više neću kupovati u toj trgovini, šteta"""),
    "Slovenian": ("dobro,slabše", """Dostava je bila zelo hitra, embalaža odlična
Izdelek ne deluje tako, kot sem pričakoval
Za ta denar čisto spodoben telefon
Služba za pomoč strankam se sploh ni oglasila
Otroku je bilo zelo všeč, vsem priporočam
Po dveh dneh se je pokvaril, ne kupujte ga
Blago je mehko, barva točno taka kot na sliki
Nikoli več ne bom naročil v tej trgovini, žal"""),
    "Hebrew": ("חיובי,שלילי", """המשלוח הגיע מהר מאוד והאריזה הייתה מצוינת
המוצר לא עובד כמו שציפיתי
טלפון די טוב במחיר הזה
שירות הלקוחות בכלל לא ענה לי
הילד מאוד אהב את זה, ממליץ לכולם
התקלקל אחרי יומיים, אל תקנו
הבד רך והצבע בדיוק כמו בתמונה
לעולם לא אקנה יותר בחנות הזאת"""),
    "Arabic": ("إيجابي,سلبي", """كان التوصيل سريعا جدا والتغليف ممتازا
المنتج لا يعمل كما كنت أتوقع
هاتف جيد جدا مقابل هذا السعر
خدمة العملاء لم ترد على رسالتي أبدا
أعجب ابني كثيرا وأنصح به الجميع
تعطل بعد يومين فقط لا تشتروه
القماش ناعم واللون مثل الصورة تماما
لن أشتري من هذا المتجر مرة أخرى"""),
    "Persian": ("خوب,بد", """ارسال خيلي سريع بود و بسته بندي هم عالي بود
محصول آن طور که انتظار داشتم کار نمي کند
براي اين قيمت گوشي نسبتا خوبي است
پشتيباني اصلا جواب پيام من را نداد
بچه ام خيلي دوستش داشت و به همه پيشنهاد مي کنم
بعد از دو روز خراب شد، نخريد
پارچه نرم است و رنگ آن درست مثل عکس است
ديگر هرگز از اين فروشگاه چيزي نمي خرم"""),
    "Lithuanian": ("gerai,blogai,puiku,prastai,šauniai", """Pristatymas buvo labai greitas, pakuotė puiki
Prekė veikia ne taip, kaip tikėjausi
Už tokią kainą visai neblogas telefonas
Klientų aptarnavimas visiškai neatsakė į laišką
Vaikui labai patiko, siūlau visiems
Po dviejų dienų sugedo, nepirkite jo
Audinys minkštas, o spalva tokia pati kaip nuotraukoje
Daugiau niekada nepirksiu šioje parduotuvėje, čia blogiausia"""),
    "Latvian": ("labi,slikti,teicami,vājš", """Piegāde bija ļoti ātra, iepakojums lielisks
Prece nedarbojas tā, kā es gaidīju
Par šādu cenu pavisam pieklājīgs telefons
Klientu apkalpošana vispār neatbildēja uz vēstuli
Bērnam ļoti patika, iesaku visiem
Pēc divām dienām sabojājās, nepērciet to
Audums ir mīksts, krāsa tieši tāda kā attēlā
Nekad vairs neko nepasūtīšu šajā veikalā"""),
    "Estonian": ("hea,halb,tõesti hea,üsna halb", """Tarne oli väga kiire ja pakend suurepärane
Toode ei tööta nii, nagu ma ootasin
Selle hinna eest täiesti korralik telefon
Klienditeenindus ei vastanud üldse mu kirjale
Lapsele meeldis väga, soovitan kõigile
Läks kahe päeva pärast katki, ärge ostke
Kangas on pehme ja värv täpselt nagu pildil
Ma ei telli sellest poest enam mitte kunagi, šokk"""),
    "French": ("bien,mal,très bien,décevant", """La livraison a été très rapide et l'emballage parfait
Le produit ne fonctionne pas comme prévu, je le renvoie
À ce prix-là, c'est un téléphone tout à fait correct
Le service après-vente n'a jamais répondu à ma réclamation
Mon garçon l'a adoré, je le recommande à tout le monde
Tombé en panne après deux jours, à éviter
Le tissu est doux et la couleur fidèle à la photo, ça change
Plus jamais je ne commanderai dans ce magasin, même à Noël"""),
    "German": ("gut,schlecht,sehr schön,fürchterlich", """Die Lieferung war sehr schnell, die Verpackung hübsch
Das Gerät läuft nicht so, wie ich es erwartet hätte
Für diesen Preis ein völlig ausreichendes Telefon
Der Kundendienst hat überhaupt nicht geantwortet, schade
Meinem Kind gefällt es, ich würde es jedem empfehlen
Nach zwei Tagen kaputt, hört auf mich und lasst es
Der Stoff ist weich, die Farbe genau wie auf dem Bild, großartig
Nie wieder bestelle ich in diesem Geschäft, übel"""),
    "Spanish": ("bueno,malo,buenísimo,pésimo", """El envío fue rapidísimo y el embalaje, perfecto
El producto no funciona como yo esperaba, lo devolveré
Por este precio es un teléfono más que decente
Atención al cliente no respondió jamás a mi reclamación
A mi niño le encantó, se lo recomiendo a todos
Se rompió a los dos días, ¡no lo compren!
La tela es suave y el color igual que en la fotografía
Nunca más compraré en esta tienda, qué desilusión, señores"""),
    "Portuguese": ("bom,mau,ótimo,péssimo", """A entrega foi muito rápida e a embalagem é ótima
O produto não funciona como eu esperava, vou devolvê-lo
Por este preço é um telefone bastante razoável
O apoio ao cliente nunca respondeu à minha reclamação
A criança adorou, recomendo a toda a gente, são lindos
Avariou-se em dois dias, não comprem
O tecido é macio e a cor é igual à da fotografia
Nunca mais compro nesta loja, que desilusão, nem amanhã"""),
    "Swedish": ("bra,dåligt,jättebra,värdelöst", """Leveransen gick väldigt snabbt och förpackningen var fin
Produkten fungerar inte så som jag hade väntat mig
För det här priset är det en helt okej telefon
Kundtjänsten svarade över huvud taget inte på mitt brev
Barnet älskade den, jag rekommenderar den till alla
Gick sönder efter två dagar, köp den inte
Tyget är mjukt och färgen precis som på bilden
Jag beställer aldrig mer från den här affären, för dåligt"""),
    "Danish": ("godt,dårligt", """Leveringen gik meget hurtigt, og indpakningen var fin
Produktet virker ikke, som jeg havde forventet, øv
Til den pris er det en udmærket telefon, prøv den
Kundeservice svarede slet ikke på min klage, ærgerligt
Barnet elskede den, jeg anbefaler den til alle på jobbet
Gik i stykker efter to dage, køb den ikke
Stoffet er blødt, og farven er præcis som på billedet
Jeg bestiller aldrig mere fra den butik, så er det sagt"""),
    "Finnish": ("hyvä,huono,erittäin hyvä", """Toimitus oli erittäin nopea ja pakkaus hyvä
Tuote ei toimi niin kuin odotin, päätin palauttaa sen
Tähän hintaan aivan kelvollinen puhelin, hyvä näyttö
Asiakaspalvelu ei vastannut kirjeeseeni lainkaan, ikävää
Lapsi tykkäsi kovasti, suosittelen kaikille ystäville
Meni rikki kahdessa päivässä, älkää ostako
Kangas on pehmeää ja väri täsmälleen kuin kuvassa
En tilaa tästä kaupasta enää ikinä mitään, pöyristyttävää"""),
    "Icelandic": ("gott,slæmt", """Sendingin kom mjög fljótt og umbúðirnar voru fínar
Varan virkar ekki eins og ég bjóst við
Fyrir þetta verð er þetta ágætur sími
Þjónustan svaraði aldrei bréfinu mínu
Barninu fannst þetta æðislegt, ég mæli með þessu
Bilaði eftir tvo daga, ekki kaupa þetta
Efnið er mjúkt og liturinn alveg eins og á myndinni
Ég panta aldrei aftur frá þessari verslun, það er ljóst"""),
    "Thai": ("ดี,แย่", """จัดส่งเร็วมากและบรรจุภัณฑ์ดีมาก
สินค้าใช้งานไม่ได้อย่างที่คิดไว้
ราคานี้ถือว่าเป็นโทรศัพท์ที่ดีทีเดียว
ฝ่ายบริการลูกค้าไม่ตอบข้อความเลย
ลูกชอบมาก แนะนำให้ทุกคนซื้อ
เสียภายในสองวัน อย่าซื้อเลย
ผ้านุ่มและสีตรงกับรูปภาพ
จะไม่สั่งซื้อจากร้านนี้อีกแล้ว"""),
    "Vietnamese": ("tốt,xấu", """Giao hàng rất nhanh và đóng gói cẩn thận
Sản phẩm không hoạt động như tôi mong đợi
Với giá này thì điện thoại khá tốt
Bộ phận chăm sóc khách hàng không trả lời
Con tôi rất thích, tôi giới thiệu cho mọi người
Hỏng sau hai ngày, đừng mua nhé
Vải mềm và màu đúng như trong ảnh
Tôi sẽ không bao giờ mua ở cửa hàng này nữa"""),
    "Japanese": ("良い,悪い", """配送がとても早く、梱包も丁寧でした
思っていた通りに動かないので返品します
この値段なら十分に良い電話だと思います
問い合わせをしても全く返事がありません
子供がとても喜んでいます。おすすめです
二日で壊れました。買わない方がいいです
生地が柔らかくて、色も写真の通りでした
この店ではもう二度と注文しません"""),
    "Korean": ("좋음,나쁨", """배송이 아주 빠르고 포장도 훌륭했습니다
제품이 기대한 대로 작동하지 않아요
이 가격에 이 정도면 괜찮은 전화기입니다
고객센터에서 답변을 전혀 주지 않았습니다
아이가 정말 좋아해요. 모두에게 추천합니다
이틀 만에 고장 났으니 사지 마세요
천이 부드럽고 색상도 사진과 똑같아요
이 가게에서는 다시는 주문하지 않을 겁니다"""),
    "Chinese": ("好评,差评", """物流很快，包装也不错，下次还来
等了两个小时才送到，饭都凉了
这个价格能买到这样的手机已经很好了
客服一直没有回复我的投诉
孩子非常喜欢，推荐给大家
用了两天就坏了，千万不要买
面料很柔软，颜色和照片一样
再也不会在这家店买东西了"""),
    "Traditional Chinese": ("好評,差評", """物流很快，包裝也不錯，下次還會再來
等了兩個小時才送到，飯都涼了
這個價格能買到這樣的手機已經很好了
客服一直沒有回覆我的投訴
孩子非常喜歡，推薦給大家
用了兩天就壞了，千萬不要買
面料很柔軟，顏色和照片一樣
再也不會在這家店買東西了"""),
}

LEGACY = {
    "Turkish": "cp1254 iso8859_9 cp857 mac_turkish",
    "Greek": "cp1253 iso8859_7 cp737 cp869 mac_greek",
    "Russian": "cp1251 koi8_r cp866 iso8859_5 mac_cyrillic cp855",
    "Ukrainian": "cp1251 koi8_u cp1125 iso8859_5 mac_cyrillic",
    "Bulgarian": "cp1251 iso8859_5 cp866 mac_cyrillic",
    "Serbian": "cp1251 iso8859_5 cp855",
    "Polish": "cp1250 iso8859_2 cp852 mac_latin2 iso8859_16",
    "Czech": "cp1250 iso8859_2 cp852 mac_latin2",
    "Slovak": "cp1250 iso8859_2 cp852 mac_latin2",
    "Hungarian": "cp1250 iso8859_2 cp852 mac_latin2",
    "Romanian": "cp1250 iso8859_2 cp852",
    "Croatian": "cp1250 iso8859_2 cp852 mac_croatian",
    "Slovenian": "cp1250 iso8859_2 cp852",
    "Hebrew": "cp1255 iso8859_8 cp862",
    "Arabic": "cp1256 iso8859_6 cp720",
    "Persian": "cp1256",
    "Lithuanian": "cp1257 iso8859_13 iso8859_4 cp775",
    "Latvian": "cp1257 iso8859_13 iso8859_4 cp775",
    "Estonian": "cp1257 iso8859_13 iso8859_4 cp775",
    "French": "cp1252 iso8859_15 cp850 mac_roman",
    "German": "cp1252 iso8859_15 cp850 cp437 mac_roman",
    "Spanish": "cp1252 iso8859_15 cp850 cp437 mac_roman",
    "Portuguese": "cp1252 iso8859_15 cp850 cp860 mac_roman",
    "Swedish": "cp1252 iso8859_15 cp850 cp437 cp865 mac_roman",
    "Danish": "cp1252 iso8859_15 cp850 cp865 mac_roman",
    "Finnish": "cp1252 iso8859_15 cp850 cp437 mac_roman iso8859_10",
    "Icelandic": "cp1252 iso8859_15 cp850 cp861 mac_iceland",
    "Thai": "cp874 tis_620 iso8859_11",
    "Vietnamese": "cp1258",
    "Japanese": "shift_jis cp932 euc_jp iso2022_jp shift_jis_2004 euc_jis_2004",
    "Korean": "euc_kr cp949 johab iso2022_kr",
    "Chinese": "gb2312 gbk gb18030 hz",
    "Traditional Chinese": "big5 cp950 big5hkscs gb18030",
}



def reviews_csv(language: str, n_rows: int = 8) -> str:
    """A file of these reviews, as text."""
    labels, texts = REVIEWS[language]
    names = labels.split(",")
    rows = [f'"{text}",{names[i % len(names)]}' for i, text in enumerate(texts.split("\n")[:n_rows])]
    return "\n".join(["text,label", *rows]) + "\n"
